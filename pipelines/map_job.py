"""`roadloop map`: read an OpenDRIVE map, say what is in it, write its lanes as CSV and draw it."""

from collections import Counter
from pathlib import Path

from pipelines.maps import draw_map, write_map_csv
from pipelines.runs import check_file_target
from sim.opendrive import read_opendrive


def describe_map(file: Path, csv: Path | None, png: Path | None) -> None:
    """Print what the map holds; write `csv` and `png` where given. ValueError or OSError on bad input."""
    network = read_opendrive(file)
    for target in (csv, png):
        if target is not None:
            check_file_target(target)
    strips = network.strips(5.0)
    kinds = Counter(strip.kind for strip in strips)
    print(f"{network.name}: {len({strip.road for strip in strips})} roads, {len(strips)} lane strips")
    print("  " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    if csv is not None:
        write_map_csv(network, csv)
        print(f"lanes   {csv}")
    if png is not None:
        draw_map(network, png)
        print(f"drawing {png}")
