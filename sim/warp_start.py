"""Starts Warp, quietly: a machine without a GPU is an ordinary one and deserves no warning in every command."""

import os
import sys
import tempfile
from functools import cache

import warp as wp

_NO_DRIVER = b"Could not find or load the NVIDIA CUDA driver"


@cache
def start_warp() -> None:
    """Initialise Warp, once; what it prints besides the missing driver still appears."""
    wp.config.log_level = max(wp.config.log_level, wp.LOG_WARNING)
    # The warning comes from native code, past Python's streams and Warp's log level.
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            wp.init()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        said.seek(0)
        os.write(2, b"".join(line for line in said if _NO_DRIVER not in line))
