"""`roadloop evaluate`: agents in closed loop, or the detector, on worlds that no training has seen.

Episodes are spread over Ray workers in batches; a world's episode does not depend on its batch, so the figures are the
same for any number of workers. An interrupted evaluation given the same folder goes on where it stopped.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import torch

from agents.contract import make_agent
from configs.schema import Experiment
from pipelines.evaluate_detector import evaluate_detector
from pipelines.fanout import fan_out_resumable
from pipelines.progress import progress
from pipelines.recorder import Recorder, expert_drive, is_expert
from pipelines.report import BLUE, GREEN, ORANGE, Card, figure_html, page, table_html
from pipelines.rollout import rollout
from pipelines.runs import claim, default_folder, machine, run_folder, versions, write_json, write_text
from pipelines.score_tables import NOTE, mean_scores
from pipelines.scores import Scorer
from pipelines.sight import detector_weights, make_sight
from pipelines.tables import csv_text, print_table
from pipelines.worlds import batches_by_map, check_inputs, make_simulator, make_worlds

PARTS = ".parts"
Row = dict[str, Any]


def evaluate(what: str, experiment: Experiment, out: Path | None) -> None:
    """Evaluate `agent` or `detector`. ValueError or OSError on bad input."""
    with run_folder(out or default_folder(f"evaluate-{what}")) as folder:
        check_inputs(experiment)
        (evaluate_agents if what == "agent" else evaluate_detector)(experiment, folder)


def evaluate_agents(experiment: Experiment, folder: Path) -> list[Row]:
    """Drive all held-out episodes with every agent on every kind of percept; write and return the table."""
    settings = experiment.evaluate
    for name in settings.agents:
        make_agent(name, 1)  # fails here, before any work, if a name or a file is wrong
    for name in settings.perceptions:
        if name != "oracle":
            detector_weights(name)
    claim(experiment, folder, ("table.json", "episodes.csv"))
    tasks = _tasks(experiment)
    with progress("evaluate agents", "batches") as report:
        batches = fan_out_resumable(
            drive_batch, tasks, folder / PARTS, experiment.workers, lambda count: report(count, len(tasks))
        )
    drivers = [(agent, percept) for percept in settings.perceptions for agent in settings.agents]
    episodes = sorted(
        (row for batch in batches for row in batch),
        key=lambda row: (drivers.index((row["agent"], row["perception"])), row["seed"]),
    )
    table = [
        {"agent": Path(agent).stem, "percept": Path(percept).stem, **summary(rows)}
        for percept in settings.perceptions
        for agent in settings.agents
        if (rows := [row for row in episodes if (row["agent"], row["perception"]) == (agent, percept)])
    ]
    _write(experiment, folder, table, episodes)
    print_table(table, "Held-out episodes")
    print_table(_scores(episodes), "Scores by the rules of others, means of the episodes that have them")
    print(f"report {folder / 'report.html'}")
    return table


def _tasks(experiment: Experiment) -> dict[str, Any]:
    settings = experiment.evaluate
    batches = batches_by_map(experiment, settings.first_seed, settings.episodes, settings.batch)
    tasks: dict[str, Any] = {}
    for p, percept in enumerate(settings.perceptions):
        for a, agent in enumerate(settings.agents):
            for index, numbers in enumerate(batches):
                seeds = [settings.first_seed + number for number in numbers]
                tasks[f"{p}{Path(percept).stem}-{a}{Path(agent).stem}-{index:06d}"] = (
                    experiment,
                    agent,
                    percept,
                    seeds,
                )
    return tasks


@torch.inference_mode()
def drive_batch(task: tuple[Experiment, str, str, list[int]]) -> list[Row]:
    """Drive one batch of episodes to their ends; one row each."""
    experiment, agent_name, percept_name, seeds = task
    worlds = make_worlds(experiment, seeds)
    simulator = make_simulator(experiment, worlds)
    agent = make_agent(agent_name, len(seeds))
    sight = make_sight(percept_name, experiment, worlds)
    scorer, recorder = Scorer(len(seeds), experiment.sim.dt_s), Recorder(simulator)
    for tick in rollout(simulator, agent, sight, max(round(experiment.sim.seconds / experiment.sim.dt_s), 1)):
        scorer.add(tick)
        recorder.add(tick)
    expert = recorder.expert() if is_expert(agent_name, percept_name) else expert_drive(experiment, worlds)
    scores = scorer.scores(worlds.seeds, worlds.places, worlds.weathers, simulator.world.route_length_m)
    return [
        {"agent": agent_name, "perception": percept_name, **score.row(), **card.row()}
        for score, card in zip(scores, recorder.scorecards(expert), strict=True)
    ]


def summary(rows: Sequence[Row]) -> Row:
    """Means over episodes; score_95 is half the 95 % interval of the driving score (normal approximation)."""
    count = len(rows)

    def share(key: str) -> float:
        return sum(1 for row in rows if row[key]) / count

    def mean(key: str) -> float:
        return math.fsum(row[key] for row in rows) / count

    score = mean("driving_score")
    variance = math.fsum((row["driving_score"] - score) ** 2 for row in rows) / max(count - 1, 1)
    return {
        "episodes": count,
        "route_completion": mean("route_completion"),
        "collisions": share("collision"),
        "off_road": share("offroad"),
        "off_route": sum(1 for row in rows if row["ended"] == "off route") / count,
        "arrived": sum(1 for row in rows if row["ended"] == "arrived") / count,
        "mean_speed_kmh": mean("mean_speed_mps") * 3.6,
        "driving_score": score,
        "score_95": 1.96 * math.sqrt(variance / count),
    }


def _write(experiment: Experiment, folder: Path, table: list[Row], episodes: list[Row]) -> None:
    write_json(
        folder / "table.json",
        {
            "table": table,
            "scores": _scores(episodes),
            "by_road": _by(episodes, "place"),
            "by_weather": _by(episodes, "weather"),
            "versions": versions(),
            "machine": machine(),
        },
    )
    write_text(folder / "table.csv", csv_text(table))
    write_text(folder / "episodes.csv", csv_text(episodes))
    settings = experiment.evaluate
    last = settings.first_seed + settings.episodes - 1
    body = [
        table_html(table),
        '<p class="note">Shares of episodes; score_95 is half the 95 % interval of the driving score. '
        "An episode ends with a collision, off the road or route, on arrival, or when time is up.</p>",
        *_bars(table),
        "<h2>Scores by the rules of others</h2>",
        table_html(_scores(episodes)),
        f'<p class="note">Means of the episodes that have them. {NOTE}</p>',
        "<h2>By road</h2>",
        table_html(_by(episodes, "place")),
        "<h2>By weather</h2>",
        table_html(_by(episodes, "weather")),
        "<h2>Episodes</h2>",
        table_html(episodes),
    ]
    best = max(table, key=lambda row: row["driving_score"])
    cards = [
        Card(f"{settings.episodes}", "episodes each"),
        Card(best["agent"], f"best driver, on {best['percept']} percepts"),
        Card(f"{best['driving_score']:.2f}", "its driving score"),
        Card(f"{best['route_completion']:.0%}", "of its routes"),
        Card(f"{best['collisions']:.0%}", "of its episodes with a collision"),
    ]
    seconds, route_m = experiment.sim.seconds, experiment.sim.route_m
    subtitle = f"Held-out seeds {settings.first_seed} to {last}, up to {seconds:g} s and {route_m:g} m each"
    write_text(folder / "report.html", page("Agents in closed loop", subtitle, cards, body))


def _bars(table: list[Row]) -> list[str]:
    names = [f"{row['agent']} on {row['percept']}" for row in table]
    figure = go.Figure()
    for key, color in (("route_completion", BLUE), ("driving_score", GREEN), ("collisions", ORANGE)):
        figure.add_bar(x=names, y=[row[key] for row in table], name=key.replace("_", " "), marker_color=color)
    figure.update_layout(barmode="group")
    return [figure_html(figure, "Route completion, driving score, collisions", "", "share", 320)]


def _scores(episodes: list[Row]) -> list[Row]:
    """The mean scores of each agent and percept, in the order in which the episodes are listed."""
    drivers = dict.fromkeys((row["agent"], row["perception"]) for row in episodes)
    return [
        {"agent": Path(agent).stem, "percept": Path(percept).stem, **mean_scores(rows)}
        for agent, percept in drivers
        if (rows := [row for row in episodes if (row["agent"], row["perception"]) == (agent, percept)])
    ]


def _by(episodes: list[Row], key: str) -> list[Row]:
    """Summaries of the episodes by a key, for each agent and percept."""
    groups = sorted({(row["agent"], row["perception"], row[key]) for row in episodes})
    return [
        {"agent": Path(agent).stem, "percept": Path(percept).stem, key: value, **summary(rows)}
        for agent, percept, value in groups
        if (rows := [r for r in episodes if (r["agent"], r["perception"], r[key]) == (agent, percept, value)])
    ]
