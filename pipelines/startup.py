"""How modules of a job are imported: without the garbage collector, which would go over them again and again.

torch, Warp and the kernels make half a million objects that live as long as the process. Collections while they are
imported take a fifth of the time to the first frame, and find nothing; so later would each full one.
"""

import atexit
import gc
import importlib
import sys
from types import ModuleType


def import_quickly(name: str) -> ModuleType:
    """The module; what it and all it needs have made is left alone by later collections."""
    if name in sys.modules or not gc.isenabled():  # nothing new to spare, or somebody else's decision
        return importlib.import_module(name)
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()
        atexit.register(gc.unfreeze)  # native modules count what is left of theirs at the end
