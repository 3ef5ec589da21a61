"""`roadloop map`: read an OpenDRIVE map, say what it uses and what is amiss, write its lanes as CSV and draw it."""

from pathlib import Path

from pipelines.map_report import report
from pipelines.maps import draw_map, write_map_csv
from pipelines.runs import check_file_target
from sim.opendrive import read_opendrive


def describe_map(file: Path, csv: Path | None, png: Path | None, successors: bool = False) -> None:
    """Print what the map holds; write `csv` and `png` where given. ValueError or OSError on bad input."""
    if successors and csv is None:
        raise ValueError("--successors adds a column to the CSV: give --csv FILE as well")
    network = read_opendrive(file)
    for target in (csv, png):
        if target is not None:
            check_file_target(target)
    for line in report(network):
        print(line)
    if csv is not None:
        write_map_csv(network, csv, successors)
        print(f"lanes   {csv}")
    if png is not None:
        draw_map(network, png)
        print(f"drawing {png}")
