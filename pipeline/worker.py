"""A worker process of the local engine.

Beam's own worker waits for its engine for ever when the process of the engine is killed while
the worker starts. This one ends with the process that started it.
"""

from __future__ import annotations

import os
import sys
import threading
import time

_LOOK_SECONDS = 0.5


def main(parent: int) -> None:
    """Runs Beam's worker until it is done or its parent is gone.

    Args:
        parent: id of the process that started this one.
    """
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


def _end_with(parent: int) -> None:
    # The system gives a process whose parent is gone another one.
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)
