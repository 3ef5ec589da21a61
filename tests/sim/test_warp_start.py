"""Starting Warp says nothing on a machine without a GPU, and leaves stderr working."""

import subprocess
import sys


def test_starting_warp_is_quiet_and_gives_stderr_back():
    code = "import sys; from sim.warp_start import start_warp; start_warp(); print('afterwards', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "CUDA driver" not in done.stderr
    assert done.stderr.splitlines()[-1] == "afterwards"
