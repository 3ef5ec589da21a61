"""`roadloop map`: read an OpenDRIVE map, say what it uses and what is amiss, write its lanes as CSV and draw it."""

from pathlib import Path

from configs.schema import RoadKind
from pipelines.map_report import report
from pipelines.maps import draw_map, write_map_csv
from pipelines.runs import check_file_target
from sim.mapfiles.opendrive import read_opendrive
from sim.mapfiles.opendrive_writer import write_opendrive
from sim.roadgen.generate import generate_road


def describe_map(
    source: Path | tuple[RoadKind, int],
    csv: Path | None,
    png: Path | None,
    successors: bool = False,
    export: Path | None = None,
) -> None:
    """Print what a map file or a generated road of some kind and seed holds; write the files that are asked for.

    ValueError or OSError on bad input.
    """
    if successors and csv is None:
        raise ValueError("--successors adds a column to the CSV: give --csv FILE as well")
    network = generate_road(*source) if isinstance(source, tuple) else read_opendrive(source)
    for target in (csv, png, export):
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
    if export is not None:
        write_opendrive(network, export)
        print(f"map     {export}")
