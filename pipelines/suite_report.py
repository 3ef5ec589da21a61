"""report.html of a suite: what happened in every scenario, where in its parameters, and the worst runs to replay."""

import html
import shlex
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
from numpy.typing import NDArray

from pipelines.report import Card, page, table_html
from pipelines.runs import write_text
from pipelines.suite_plan import Plan
from pipelines.suite_results import OUTSIDE, Results

WORST = 20
MAPPED_PARAMETERS = 3  # of each file, the most telling ones, every pair of which has a map
MAX_STEPS = 40  # values of a parameter on an axis; beyond that they are put into bins
_SCALE = [[0.0, "#f0fdf4"], [0.001, "#fef3c7"], [0.35, "#f97316"], [1.0, "#991b1b"]]
_TTC_SCALE = [[0.0, "#991b1b"], [0.3, "#f97316"], [0.7, "#fef3c7"], [1.0, "#f0fdf4"]]


def write_suite_report(folder: Path, plan: Plan, results: Results, metrics: dict[str, Any]) -> None:
    """Write the page; it opens offline."""
    total = metrics["total"]
    cards = [
        Card(f"{total['played']:,}", "runs played"),
        Card(f"{int((results.columns['constraints'] == OUTSIDE).sum()):,}", "outside the constraints"),
        Card(f"{total['collisions']:,}", "collisions", "bad" if total["collisions"] else "good"),
        Card(f"{total['avoidable']:,}", "that could have been avoided", "bad" if total["avoidable"] else "good"),
        Card(f"{total['at fault']:,}", "of the ego's making"),
        Card("none" if total["least TTC s"] is None else f"{total['least TTC s']:.2f} s", "lowest time to collision"),
    ]
    body = [
        "<h2>By scenario</h2>",
        table_html([*metrics["scenarios"], total]),
        f"<p class=note>{html.escape(metrics['rule'])}</p>",
        *(("<h2>Euro NCAP 2026</h2>", table_html(metrics["euro_ncap"])) if metrics["euro_ncap"] else ()),
        "<h2>Worst runs</h2>",
        _worst(plan, results),
        "<h2>Where in the parameters</h2>",
        *_maps(plan, results),
        _fine_print(metrics),
    ]
    subtitle = f"driver {plan.request.agent}, step {plan.request.dt_s:g} s, {len(plan.variations)} files"
    names = ", ".join(dict.fromkeys(path.name for path in plan.request.paths))
    write_text(folder / "report.html", page(f"Suite: {names}", subtitle, cards, body))


def replay_command(plan: Plan, results: Results, row: int) -> str:
    """The command that plays a row's run again."""
    index = int(results.variation[row])
    variation, request = plan.variations[index], plan.request
    parts = ["roadloop", "scenario", str(variation.scenario)]
    timed_out = results.columns["end_reason"][row] == "time limit"
    seconds = results.columns["duration_s"][row] if timed_out else request.terms.timed_seconds
    for name in results.parameters[index]:
        parts += ["--set", f"{name}={_spelled(results.columns[name][row])}"]
    if request.perception != "oracle":
        parts += ["--perception", request.perception]
    parts += ["--agent", request.agent, "--dt", f"{request.dt_s:g}", "--seconds", f"{seconds:g}"]
    for folder in request.road_paths:
        parts += ["--road-path", str(folder)]
    if results.columns["constraints"][row] == OUTSIDE:
        parts.append("--unconstrained")
    return shlex.join(parts)


def worst_rows(results: Results, count: int = WORST) -> NDArray[np.int64]:
    """Avoidable collisions first, then others, each by impact; then the closest calls."""
    columns = results.columns
    severity = np.where(columns["verdict"] == "avoidable", 2, np.where(columns["collision"], 1, 0))
    rows = np.flatnonzero(results.played & ((severity > 0) | np.isfinite(columns["min_ttc_s"])))
    order = np.lexsort((rows, columns["min_ttc_s"][rows], -columns["impact_mps"][rows], -severity[rows]))
    return rows[order][:count]


def _worst(plan: Plan, results: Results) -> str:
    rows, columns = worst_rows(results), results.columns
    if not len(rows):
        return "<p class=note>Nothing came near the ego in any run.</p>"
    shown = [
        {
            "run": f"{Path(str(columns['file'][row])).stem} #{columns['run'][row]}",
            "verdict": str(columns["verdict"][row]),
            "with": str(columns["collision_with"][row]) or "nobody",
            "at s": float(columns["collision_s"][row]) if columns["collision"][row] else None,
            "impact m/s": float(columns["impact_mps"][row]),
            "least TTC s": float(columns["min_ttc_s"][row]) if np.isfinite(columns["min_ttc_s"][row]) else None,
            "hardest braking m/s²": float(columns["max_decel_mps2"][row]),
        }
        for row in rows
    ]
    commands = "\n".join(replay_command(plan, results, int(row)) for row in rows)
    return (
        table_html(shown)
        + f"<details><summary>Commands that replay them</summary><pre>{html.escape(commands)}</pre></details>"
    )


def _spelled(value: Any) -> str:
    return repr(float(value)) if isinstance(value, float | np.floating) else str(value)


# --- Heat maps ---


def _maps(plan: Plan, results: Results) -> list[str]:
    """For each file the pairs of its most telling parameters."""
    body: list[str] = []
    for index, variation in enumerate(plan.variations):
        rows = np.flatnonzero((results.variation == index) & results.played)
        if len(rows) < 4:
            continue
        values, kind = _outcome(results, rows)
        names = _telling(results, rows, results.parameters[index], values)
        figures = [_map(results, rows, first, second, values, kind) for first, second in combinations(names, 2)]
        if figures:
            body += [f"<h2>{html.escape(variation.file.stem)}</h2>", '<div class="pair">', *figures, "</div>"]
    return body or ["<p class=note>No file varies two parameters.</p>"]


def _outcome(results: Results, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], str]:
    """What is mapped: collisions where there are any, else the lowest time to collision (cut at 10 s)."""
    collided = results.columns["collision"][rows]
    if collided.any():
        return collided.astype(float), "share of collisions"
    return np.minimum(results.columns["min_ttc_s"][rows], 10.0), "mean of the lowest TTC, s"


def _telling(
    results: Results, rows: NDArray[np.int64], names: tuple[str, ...], values: NDArray[np.float64]
) -> list[str]:
    """The parameters whose values tell most about the outcome: largest variance of the mean between their values."""
    told = []
    for name in names:
        _, inverse, counts = np.unique(results.columns[name][rows].astype(str), return_inverse=True, return_counts=True)
        if len(counts) < 2:
            continue
        means = np.bincount(inverse, values) / counts
        told.append((float(np.average((means - values.mean()) ** 2, weights=counts)), name))
    return [name for _, name in sorted(told, key=lambda item: -item[0])[:MAPPED_PARAMETERS]]


def _map(
    results: Results, rows: NDArray[np.int64], first: str, second: str, values: NDArray[np.float64], kind: str
) -> str:
    """One heat map: the mean outcome over all other parameters."""
    labels_x, x = _axis(results.columns[first][rows])
    labels_y, y = _axis(results.columns[second][rows])
    shape = (len(labels_y), len(labels_x))
    cell = y * shape[1] + x
    counts = np.bincount(cell, minlength=shape[0] * shape[1])
    sums = np.bincount(cell, values, minlength=shape[0] * shape[1])
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).reshape(shape)
    crashes = kind.startswith("share")
    heat = go.Heatmap(
        z=[[None if np.isnan(value) else round(float(value), 4) for value in line] for line in means],
        x=labels_x, y=labels_y, customdata=counts.reshape(shape).tolist(),
        colorscale=_SCALE if crashes else _TTC_SCALE,
        zmin=0.0, zmax=1.0 if crashes else 10.0, xgap=1, ygap=1,
        hovertemplate=f"{first} %{{x}}<br>{second} %{{y}}<br>{kind} %{{z}}<br>%{{customdata}} runs<extra></extra>",
    )  # fmt: skip
    figure = go.Figure(heat)
    figure.update_layout(
        title={"text": kind, "font": {"size": 14}, "x": 0.01, "y": 0.97}, height=330, template="plotly_white",
        margin={"l": 70, "r": 10, "t": 40, "b": 60}, font={"family": "system-ui, sans-serif", "size": 11},
    )  # fmt: skip
    figure.update_xaxes(title=first, type="category")
    figure.update_yaxes(title=second, type="category")
    options = {"displayModeBar": False, "responsive": True}
    return f'<div class="plot">{pio.to_html(figure, full_html=False, include_plotlyjs=False, config=options)}</div>'


def _axis(column: NDArray[Any]) -> tuple[list[str], NDArray[np.int64]]:
    """Labels of an axis in order, and the place of every row on it; many numbers are put into equal bins."""
    if all(isinstance(value, float) for value in column):
        numbers, inverse = np.unique(column.astype(float), return_inverse=True)
        if len(numbers) <= MAX_STEPS:
            return [f"{number:g}" for number in numbers], inverse
        edges = np.linspace(numbers[0], numbers[-1], MAX_STEPS + 1)
        place = np.clip(np.searchsorted(edges, column.astype(float), side="right") - 1, 0, MAX_STEPS - 1)
        return [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)], place
    texts, inverse = np.unique(np.array([Path(str(value)).name for value in column]), return_inverse=True)
    return [str(text) for text in texts], inverse


def _fine_print(metrics: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in metrics["versions"].items())
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in metrics["notes"])
    cpu = html.escape(str(metrics["machine"]["cpu"]))
    return (
        "<details><summary>How this was made</summary>"
        f"<p>{metrics['wall_seconds_of_this_call']:.0f} s in the last call, on {cpu}. "
        f"{html.escape(packages)}.</p>{notes}</details>"
    )
