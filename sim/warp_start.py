"""Starts Warp, quietly: a machine without a GPU is an ordinary one and deserves no warning in every command.

Kernels are compiled at their first use and then kept in Warp's cache; here modules of them are compiled side by side.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from types import ModuleType
from typing import Any

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


def start_loading(modules: Sequence[ModuleType], device: Any) -> list[Future]:
    """Begin to compile and load the kernels of some modules, on all cores that we may use: best with the longest first.

    `finish_loading` is to be called before any of them is launched.
    """
    return [
        _compilers().submit(wp.force_load, device, [wp.get_module(module.__name__)], max_workers=0)
        for module in modules
    ]


def finish_loading(loading: Sequence[Future]) -> None:
    """Wait for what `start_loading` began; raises what went wrong there."""
    for module in loading:
        module.result()


@cache
def _compilers() -> ThreadPoolExecutor:
    """Threads that live on: each has compiled Warp's headers once, which takes more than a second."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ThreadPoolExecutor(cores, "compiler")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_compilers.cache_clear)  # threads stay with the parent
