"""Play a batch of runs of a scenario with a driver, and judge every run."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from agents.performance_models import PERFORMANCE_MODELS
from pipelines.scenario_criteria import CriteriaWatch, criteria_columns
from pipelines.scenario_drivers import SIGHTLESS, Driver, driven_entities, make_driver, sight
from pipelines.scenario_scores import Columns, Scores, lane_tick, nothing
from pipelines.scenario_verdicts import card_columns, scenario_cards
from pipelines.verdicts.lane_runs import LaneRun
from pipelines.verdicts.r157 import Outcome, r157_verdict
from pipelines.verdicts.scorecard import Scorecard
from sim.roads.network import RoadNetwork
from sim.scenarios.batches import one_by_one, uniform
from sim.scenarios.conditions import SimulationTime
from sim.scenarios.model import Scenario
from sim.scenarios.player import Player
from sim.scenarios.reading import network_of, read_scenario, roads_of
from sim.scenarios.road_tables import Atlas
from sim.scenarios.values import Draw

MAX_RECORDED = 5_000_000  # runs x ticks x entities of which the lane record is kept at once
REFUSED = "cannot be played: "
UNJUDGED = "unjudged"  # a collision that no lane's coordinates show
JUDGED_S = 10.0  # after a collision, that a judge must have survived too
VERDICTS = {Outcome.PASSED: "passed", Outcome.FAILED: "avoidable", Outcome.UNPREVENTABLE: "unavoidable"}


@dataclass(frozen=True)
class Terms:
    """How runs are played."""

    agent: str = "none"
    perception: str = "oracle"  # what a driving agent sees with
    film: Path | None = None  # of a single run with a driving agent
    dt_s: float = 0.05
    seconds: float = 600.0  # at most, where the storyboard does not say by time when it ends
    timed_seconds: float | None = None  # at most, where it does; None: the same
    road_paths: tuple[Path, ...] = ()
    scores: bool = False  # those of CARLA, nuPlan and NAVSIM, and criticality, too
    constrained: bool = True  # refuse runs outside the scenario's constraints
    judges: tuple[str, ...] = PERFORMANCE_MODELS  # of whether a collision could have been avoided

    @property
    def ticks(self) -> int:
        return max(round(max(self.seconds, self.timed_seconds or 0.0) / self.dt_s), 1)


def sees_models(agent: str) -> bool:
    """Whether a driver is told what kind of vehicle it sees, so that runs that differ in it cannot share a tree."""
    return agent not in SIGHTLESS


def play_runs(path: Path, draw: Draw, terms: Terms) -> Columns:
    """Play and judge all runs of a draw; columns in the order of its runs."""

    def play(part: Draw) -> Columns:
        merge = not sees_models(terms.agent)
        scenario = read_scenario(path, part, terms.road_paths, merge, terms.constrained)
        return play_uniform(scenario, part, roads_by(terms, scenario, part), terms)

    groups = uniform(draw, play)
    rows = np.concatenate([runs for runs, _ in groups])
    order = np.argsort(rows)
    return {name: np.concatenate([columns[name] for _, columns in groups])[order] for name in groups[0][1]}


def roads_by(terms: Terms, scenario: Scenario, draw: Draw) -> RoadNetwork | Atlas | None:
    """The roads of runs; Mixed where they differ and what is asked for needs a single map."""
    return network_of(scenario, draw) if terms.scores else roads_of(scenario, draw)


def play_able(path: Path, draw: Draw, terms: Terms, must: NDArray[np.bool_]) -> Columns:
    """`play_runs`, but runs that cannot be played say why in `end_reason`, where it begins with `REFUSED`.

    ValueError where one cannot that `must` (B,) be played.
    """
    if must.all():
        return play_runs(path, draw, terms)
    parts = one_by_one(draw, lambda part: play_runs(path, part, terms))
    columns: Columns = {}
    for runs, part in sorted(parts, key=lambda found: isinstance(found[1], str)):  # all columns first
        if isinstance(part, str) and must[runs].any():
            raise ValueError(part)
        for name, column in ({"end_reason": REFUSED + part} if isinstance(part, str) else part).items():
            if name not in columns:
                columns[name] = nothing(np.asarray(column), draw.size)
            columns[name][runs] = column
    return columns


def start(
    scenario: Scenario, draw: Draw, network: RoadNetwork | Atlas | None, terms: Terms, film: Path | None = None
) -> tuple[str, Player, Driver]:
    """The ego's name, the runs at time 0, and who drives. Raises Mixed where the runs do not share one tree."""
    ego = scenario.ego or scenario.entities[0].name
    player = Player(scenario, draw, network, terms.dt_s, driven_entities(terms.agent, ego))
    return ego, player, make_driver(terms.agent, player, ego, terms.perception, film)


def play_uniform(
    scenario: Scenario,
    draw: Draw,
    network: RoadNetwork | Atlas | None,
    terms: Terms,
    cards: list[Scorecard] | None = None,
) -> Columns:
    """Play and judge runs that share one tree; `cards` gets their scores, if asked for. Raises Mixed otherwise."""
    ego, player, driver = start(scenario, draw, network, terms, terms.film)
    scores = Scores(player, ego)
    limit = np.maximum(np.round(limit_s(scenario, draw, terms) / terms.dt_s), 1).astype(np.int64)
    watch = CriteriaWatch(scenario, draw, player.network, player, ego) if scenario.criteria or terms.scores else None
    while True:
        gaps, state = sight(player, ego), player.state
        scores.see(gaps, state)
        if watch is not None:
            watch.see(state)
        scores.over = player.tick >= limit
        if bool((player.done.numpy() | scores.collided | scores.over).all()):
            break
        driver.advance(gaps, state)
    driver.close()
    ended = np.minimum(np.where(player.done.numpy(), player.end_tick.numpy(), player.tick), limit)
    timely = player.done.numpy() & (player.end_tick.numpy() <= limit)
    ended = np.where(scores.collided, scores.collision_tick, ended)
    reasons = np.where(timely, np.array(player.end_reason, dtype=object), "time limit")
    columns = scores.columns(ended)
    columns["end_reason"] = np.where(columns["collision"], "collision", reasons)
    columns |= criteria_columns(watch.judgements(ended) if watch is not None else (), draw.size)
    if terms.scores and watch is not None:
        found = scenario_cards(watch, ended, scores.collided, driven=bool(driven_entities(terms.agent, ego)))
        columns |= card_columns(found)
        if cards is not None:
            cards += found
    return columns | _verdicts(scenario, draw, player.has_roads, terms, scores.collided, scores.collision_tick)


def limit_s(scenario: Scenario, draw: Draw, terms: Terms) -> NDArray[np.float64]:
    """When each run (B,) is ended: later than its stop trigger fires by time alone, else by the limit for open ends."""
    stops = np.full(draw.size, np.inf)
    for group in scenario.stop or ():
        tests = [condition.test for condition in group if isinstance(condition.test, SimulationTime)]
        if len(tests) == len(group):
            times = [test.value.numbers(draw) for test in tests] + [
                condition.delay.numbers(draw) for condition in group
            ]
            stops = np.minimum(stops, np.sum(times, axis=0))
    most = terms.seconds if terms.timed_seconds is None else terms.timed_seconds
    return np.where(np.isfinite(stops), np.minimum(stops + 1.0, most), terms.seconds)


def _verdicts(
    scenario: Scenario,
    draw: Draw,
    has_roads: bool,
    terms: Terms,
    collided: NDArray[np.bool_],
    tick: NDArray[np.int64],
) -> Columns:
    """UN R157's verdict of every run: collisions are played again with a record of the lane, for the judges."""
    verdict = np.full(draw.size, VERDICTS[Outcome.PASSED], dtype=object)
    must_avoid = np.zeros(draw.size, dtype=bool)
    prevented = np.full(draw.size, "", dtype=object)
    rows = np.flatnonzero(collided)
    if not has_roads:  # no lane to judge by
        verdict[rows] = UNJUDGED
        rows = rows[:0]
    last = tick + round(JUDGED_S / terms.dt_s)
    rows = rows[np.argsort(last[rows], kind="stable")[::-1]]  # the longest first, which say how many fit
    while len(rows):
        fit = max(MAX_RECORDED // int((last[rows[0]] + 1) * len(scenario.entities)), 1)
        part, rows = rows[:fit], rows[fit:]
        found = r157_verdict(_record(scenario, draw.take(part), terms, last[part]), terms.judges)
        # What touched in the world but not in the lane's coordinates has no verdict of the lane's.
        outcome = [VERDICTS[Outcome(int(o))] if bool(c) else UNJUDGED for o, c in zip(found.outcome, found.collided)]
        verdict[part] = outcome
        must_avoid[part] = found.must_avoid.numpy()
        names = [[name for name in terms.judges if bool(found.preventable[name][run])] for run in range(len(part))]
        prevented[part] = [" ".join(row) if bool(c) else "" for row, c in zip(names, found.collided, strict=True)]
    return {"verdict": verdict, "must_avoid": must_avoid, "prevented_by": prevented}


def _record(scenario: Scenario, draw: Draw, terms: Terms, last: NDArray[np.int64]) -> LaneRun:
    """The runs along the ego's lane, each from its first to its tick `last` (B,), the ego first."""
    ego, player, driver = start(scenario, draw, roads_by(terms, scenario, draw), terms)
    index = player.entities.index(ego)
    ticks: list[LaneRun] = []
    while True:
        gaps, state = player.gaps(ego), player.state
        tick = lane_tick(player, index, gaps, state)
        over = torch.from_numpy(player.tick > last) | (player.done & (player.end_tick < player.tick))
        ticks.append(replace(tick, valid=tick.valid & ~over[:, None, None]))
        if player.tick >= last.max() or bool(player.done.all()):
            break
        driver.advance(gaps, state)
    driver.close()
    order = torch.tensor([index, *(e for e in range(len(player.entities.names)) if e != index)])
    series = {
        name: torch.cat([getattr(tick, name) for tick in ticks], dim=1)[:, :, order]
        for name in ("s_m", "offset_m", "heading_rad", "speed_mps", "lateral_mps", "accel_mps2", "valid")
    }
    first = ticks[0]
    return replace(first, size_m=first.size_m[:, order], front_axle_m=first.front_axle_m[:, order], **series)
