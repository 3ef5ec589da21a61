"""index.html of a dataset: the contact sheets, and what the dataset holds in figures."""

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go

from configs.schema import Experiment
from pipelines.datasets.contact import write_sheets
from pipelines.datasets.summary import Summary
from pipelines.report import BLUE, Card, figure_html, page
from pipelines.runs import write_json, write_text


def write_pages(folder: Path, experiment: Experiment, summary: Summary, parts: Sequence[Path]) -> None:
    """Write the contact sheets, statistics.json and index.html, which shows both."""
    sheets = write_sheets(folder, parts)
    write_json(folder / "statistics.json", summary.row())
    camera = experiment.camera
    cards = [
        Card(f"{summary.frames:,}", "frames"),
        Card(f"{experiment.render.scenes:,}", "scenes"),
        Card(f"{summary.objects:,}", "labelled objects"),
        Card(f"{summary.objects / max(summary.frames, 1):.1f}", "objects a frame"),
        Card(f"{camera.width_px} x {camera.height_px}", "pixels"),
    ]
    body = [f'<p><a href="{name}"><img src="{name}" style="width:100%" alt="{name}"></a></p>' for name in sheets]
    body += ["<h2>What it holds</h2>", '<div class="pair">']
    body += [_bars(what, dict(counts)) for what, counts in sorted(summary.counts.items())]
    shares = {name: 100.0 * count / summary.pixels.total() for name, count in summary.pixels.most_common()}
    body += [_bars("pixels by class, %", shares), _where(summary), "</div>"]
    subtitle = f"seed {experiment.seed}, formats {', '.join(experiment.render.format)}"
    write_text(folder / "index.html", page(f"Dataset {html.escape(folder.name)}", subtitle, cards, body))


def _bars(what: str, counts: dict[str, float]) -> str:
    names = sorted(counts, key=_order)
    figure = go.Figure(go.Bar(x=names, y=[counts[n] for n in names], marker_color=BLUE))
    figure.update_xaxes(type="category")
    return figure_html(figure, what, "", "")


def _order(name: str) -> tuple[float, str]:
    """Bins by their lower edge, words by the alphabet."""
    first = name.split(" ")[0]
    return (float(first), "") if first.replace(".", "", 1).isdigit() else (np.inf, name)


def _where(summary: Summary) -> str:
    figure = go.Figure(go.Heatmap(z=summary.where[::-1], colorscale="Blues", showscale=False))
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure_html(figure, "where in the image objects stand", "", "")
