"""A worker process of the local engine.

Beam's own worker waits for its engine for ever when the process of the engine is killed while
the worker starts, or when another worker fails then. This one ends with the process that started
it, and when it is told to.
"""

from __future__ import annotations

import os
import sys
import threading
import time

_LOOK_SECONDS = 0.5
_GRACE_SECONDS = 2.0


def main(parent: int, stop: str) -> None:
    """Runs Beam's worker until it is done, its parent is gone, or there is a stop file.

    Args:
        parent: id of the process that started this one.
        stop: path of the file whose being there means to end.
    """
    threading.Thread(target=_watch, args=(parent, stop), daemon=True).start()
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


def _watch(parent: int, stop: str) -> None:
    # The system gives a process whose parent is gone another one.
    while os.getppid() == parent:
        if os.path.exists(stop):
            # Most are told by the engine as well, and end in good order before this.
            time.sleep(_GRACE_SECONDS)
            break
        time.sleep(_LOOK_SECONDS)
    os._exit(0)
