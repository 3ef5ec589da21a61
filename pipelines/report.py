"""Reports: one HTML file each that opens offline, with everything inside (video, plots, scores)."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import plotly.io as pio
from plotly.offline import get_plotlyjs

from pipelines.runs import write_text
from pipelines.score_tables import NOTE, score_rows
from pipelines.tables import cell_text

BLUE, ORANGE, GREEN, GREY, RED, PURPLE = "#0284c7", "#ea580c", "#16a34a", "#94a3b8", "#dc2626", "#7c3aed"
STYLE = """
:root{color-scheme:light}*{box-sizing:border-box}
body{margin:0;background:#f4f6f9;color:#16202c;font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 24px 60px}
h1{font-size:26px;margin:0 0 2px}h2{font-size:17px;margin:34px 0 10px}p.sub{margin:0 0 20px;color:#5b6b7d}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:18px 0}
.card{background:#fff;border:1px solid #e1e7ee;border-radius:10px;padding:12px 16px}
.card b{display:block;font-size:24px;font-weight:650;font-variant-numeric:tabular-nums}
.card span{color:#5b6b7d;font-size:13px}.card.good b{color:#15803d}.card.bad b{color:#b91c1c}
video{width:100%;border-radius:10px;background:#10151c;display:block}
.plot{background:#fff;border:1px solid #e1e7ee;border-radius:10px;padding:8px 10px;margin-bottom:14px}
.pair>*{min-width:0;overflow:hidden}.pair{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:14px}
@media(max-width:900px){.pair{grid-template-columns:minmax(0,1fr)}}
table{border-collapse:collapse;width:100%;background:#fff;border:1px solid #e1e7ee;font-variant-numeric:tabular-nums}
th,td{padding:7px 12px;text-align:right;border-bottom:1px solid #edf1f5}th{color:#5b6b7d;font-weight:600;font-size:13px}
th:first-child,td:first-child{text-align:left}details{margin-top:26px;color:#5b6b7d}pre{overflow:auto;font-size:12.5px}
.scroll{overflow-x:auto}p.note{color:#5b6b7d;font-size:13.5px;margin:8px 0}
"""


@dataclass(frozen=True)
class Card:
    """A figure at the top: its value as text, its name, and whether it is good or bad news ('' for neither)."""

    value: str
    name: str
    mood: str = ""


def page(title: str, subtitle: str, cards: Sequence[Card], body: Sequence[str]) -> str:
    """A whole HTML document; the plotting library is inside it."""
    drawn = "".join(
        f'<div class="card {c.mood}"><b>{html.escape(c.value)}</b><span>{html.escape(c.name)}</span></div>'
        for c in cards
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style>'
        f"<script>{get_plotlyjs()}</script></head><body><main><h1>{html.escape(title)}</h1>"
        f'<p class="sub">{html.escape(subtitle)}</p><div class="cards">{drawn}</div>'
        f"{''.join(body)}</main></body></html>"
    )


def figure_html(figure: go.Figure, title: str, x_title: str, y_title: str, height_px: int = 260) -> str:
    """A plot as a fragment of the page, in the page's style."""
    figure.update_layout(
        title={"text": title, "font": {"size": 15}, "x": 0.01, "y": 0.97},
        height=height_px,
        margin={"l": 56, "r": 16, "t": 44, "b": 42},
        template="plotly_white",
        font={"family": "system-ui, sans-serif", "size": 12, "color": "#334155"},
        legend={"orientation": "h", "y": 1.13, "x": 1, "xanchor": "right"},
        hovermode="x unified",
    )
    figure.update_xaxes(title=x_title, gridcolor="#eef2f6")
    figure.update_yaxes(title=y_title, gridcolor="#eef2f6", rangemode="tozero")
    fragment = pio.to_html(
        figure, full_html=False, include_plotlyjs=False, config={"displayModeBar": False, "responsive": True}
    )
    return f'<div class="plot">{fragment}</div>'


def table_html(rows: Sequence[dict[str, Any]]) -> str:
    """A table of rows with the same keys; numbers to three digits."""
    if not rows:
        return "<p class=note>no rows</p>"
    head = "".join(f"<th>{html.escape(str(key).replace('_', ' '))}</th>" for key in rows[0])
    lines = [
        "<tr>" + "".join(f"<td>{html.escape(cell_text(value))}</td>" for value in row.values()) + "</tr>"
        for row in rows
    ]
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def video_html(path: Path) -> str:
    """The film inside the page."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<video controls autoplay muted loop playsinline src="data:video/mp4;base64,{data}"></video>'


def lines(x: Sequence[float], *series: tuple[str, Sequence[float | None], str, str]) -> go.Figure:
    """A figure of (name, values, colour, dash) over `x`."""
    figure = go.Figure()
    for name, values, color, dash in series:
        figure.add_scatter(
            x=list(x), y=list(values), name=name, mode="lines", line={"color": color, "width": 2, "dash": dash}
        )
    return figure


def write_drive_report(folder: Path, metrics: dict[str, Any], columns: dict[str, list]) -> None:
    """report.html of one drive, from its scores and the columns of its trace; reads drive.mp4 in the same folder."""
    time_s = columns["time_s"]
    body = [video_html(folder / "drive.mp4"), "<h2>The drive</h2>", *_motion_plots(time_s, columns)]
    if metrics["detection"] is not None:
        body += ["<h2>Detection against truth</h2>", *_detection_plots(time_s, columns, metrics["detection"])]
    body += ["<h2>Scores</h2>", table_html(score_rows(metrics["scores"])), f"<p class=note>{html.escape(NOTE)}</p>"]
    body.append(_fine_print(metrics))
    ended = {
        "time": "time was up",
        "arrived": "arrived",
        "off road": "left the road",
        "off route": "left its route",
    }.get(metrics["ended"], f"hit a {metrics['hit_kind']}")
    title = f"Drive: {metrics['place']}, {metrics['weather']}"
    agent, percept = Path(metrics["agent"]).stem, Path(metrics["perception"]).stem
    subtitle = f"{agent} driver on {percept} percepts, seed {metrics['seed']}: {ended}"
    write_text(folder / "report.html", page(title, subtitle, _drive_cards(metrics), body))


def _drive_cards(metrics: dict[str, Any]) -> list[Card]:
    ttc = metrics["min_ttc_s"]
    cards = [
        Card(f"{metrics['driving_score']:.2f}", "driving score"),
        Card(f"{metrics['route_completion']:.0%}", "of the route"),
        Card("yes" if metrics["collision"] else "none", "collision", "bad" if metrics["collision"] else "good"),
        Card("yes" if metrics["offroad"] else "no", "left the road", "bad" if metrics["offroad"] else "good"),
        Card(f"{metrics['mean_speed_mps'] * 3.6:.0f} km/h", "mean speed"),
        Card("none" if ttc is None else f"{ttc:.1f} s", "lowest time to collision"),
    ]
    detection = metrics["detection"]
    if detection is not None:
        score = detection["ap50"]
        cards.append(Card("no objects" if score is None else f"{score:.2f}", "detection AP50, this drive"))
    return cards


def _motion_plots(time_s: list[float], columns: dict[str, list]) -> list[str]:
    def kmh(key: str) -> list[float]:
        return [value * 3.6 for value in columns[key]]

    speed = lines(time_s, ("speed", kmh("speed_mps"), BLUE, "solid"), ("limit", kmh("limit_mps"), GREY, "dash"))
    ttc = lines(
        time_s, ("time to collision", [None if t is None else min(t, 10.0) for t in columns["ttc_s"]], ORANGE, "solid")
    )
    ttc.add_hline(y=1.5, line={"color": RED, "dash": "dot", "width": 1})
    ttc.update_yaxes(range=[0, 10.4])
    ttc.update_xaxes(range=[0, max(time_s[-1], 0.1)])
    pedals = lines(time_s, ("acceleration", columns["accel_mps2"], GREEN, "solid"))
    steer = lines(time_s, ("steering", [value * 57.29578 for value in columns["steer_rad"]], PURPLE, "solid"))
    place = lines(time_s, ("offset", columns["lateral_m"], BLUE, "solid"))
    way = lines(time_s, ("along the route", columns["progress_m"], GREEN, "solid"))
    plots = [
        figure_html(speed, "Speed", "s", "km/h"),
        figure_html(ttc, "Time to collision (cut at 10 s; gaps: nothing approached)", "s", "s"),
        figure_html(pedals, "Commanded acceleration", "s", "m/s²"),
        figure_html(steer, "Commanded steering, left positive", "s", "degrees"),
        figure_html(place, "Offset from the lane's centre, left positive", "s", "m"),
        figure_html(way, "Progress", "s", "m"),
    ]
    return ['<div class="pair">', *plots, "</div>"]


def _detection_plots(time_s: list[float], columns: dict[str, list], detection: dict[str, Any]) -> list[str]:
    counts = lines(
        time_s,
        ("visible objects", columns["truth_count"], GREY, "solid"),
        ("found", columns["found_count"], GREEN, "solid"),
        ("false alarms", columns["false_count"], RED, "dot"),
    )
    by_kind = [{"kind": kind, "AP50": value} for kind, value in detection["ap50_by_kind"].items()]
    rule = f"<p class=note>{html.escape(detection['rule'])}</p>"
    return [
        figure_html(counts, "Objects in view, found at IoU 0.5, and false alarms", "s", "objects", 280),
        table_html(by_kind),
        rule,
    ]


def _fine_print(metrics: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in metrics["versions"].items())
    return (
        "<details><summary>How this was measured</summary>"
        "<p>Driving score: route completion times 0.5 for a pedestrian hit, 0.6 for a vehicle hit, 0.65 for leaving "
        "the road. Time to collision: bumper to bumper along the route, of objects in the car's corridor.</p>"
        f"<p>{metrics['ticks']} ticks of {metrics['dt_s']} s at {metrics['ticks_per_second']:.1f} ticks/s, "
        f"{metrics['total_seconds']:.0f} s in all, on {html.escape(str(metrics['machine']['cpu']))}. "
        f"{html.escape(packages)}.</p></details>"
    )
