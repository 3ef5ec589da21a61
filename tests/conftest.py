"""Before anything imports torch: one thread each, for the tests already run on as many processes as there are cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
