"""Rows of figures as text: in the terminal, as CSV, cell by cell."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

Row = dict[str, Any]
PIPE_WIDTH = 160  # a file or pipe has no width of its own


def cell_text(value: Any) -> str:
    """A value as a reader wants it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (
        f"{value:.3g}"
        if isinstance(value, float) and abs(value) < 1000
        else f"{value:.0f}"
        if isinstance(value, float)
        else str(value)
    )


def csv_text(rows: Sequence[Row]) -> str:
    """Rows with the same keys as CSV; nothing for None."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def print_table(rows: Sequence[Row], title: str) -> None:
    """Print rows with the same keys."""
    table = Table(title=title, title_justify="left")
    for key in rows[0]:
        table.add_column(key.replace("_", " "), justify="left" if isinstance(rows[0][key], str) else "right")
    for row in rows:
        table.add_row(*(cell_text(value) for value in row.values()))
    show(table)


def show(table: Table) -> None:
    """Print a table in full width where the output is no terminal."""
    console = Console()
    (console if console.is_terminal else Console(width=PIPE_WIDTH)).print(table)
