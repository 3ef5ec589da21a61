"""How much memory the processes of a long job hold, line by line in a file beside its results."""

import os
import sys
import time
from pathlib import Path

MEMORY = "memory.csv"
HEAD = "time_s,process,pid,resident_mb\n"  # since 1970; driver or worker; resident set, 10^6 bytes


def log_memory(folder: Path, process: str) -> None:
    """Append what this process holds now. Lines are short: several processes may write at once."""
    resident = resident_bytes()
    if resident is None:
        return
    line = f"{time.time():.1f},{process},{os.getpid()},{resident / 1e6:.1f}\n"
    with (folder / MEMORY).open("a", encoding="utf-8") as file:
        file.write(line if file.tell() else HEAD + line)


def resident_bytes() -> int | None:
    """Bytes of this process in memory now (Linux), its peak so far (elsewhere), None where neither can be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def memory_told(folder: Path) -> dict[str, float]:
    """The most that the driver and any one worker held, in MB; empty without a log."""
    path = folder / MEMORY
    if not path.exists():
        return {}
    most: dict[str, float] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split(",")
        if len(fields) == 4 and fields[0] != "time_s":
            most[fields[1]] = max(most.get(fields[1], 0.0), float(fields[3]))
    return most
