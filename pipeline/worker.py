"""A worker process of the local engine.

Beam's own worker waits for its engine for ever when the process of the engine is killed while
the worker starts, or when another worker fails then. This one ends with the process that started
it, and when it is told to.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time

import pyarrow as pa

from pipeline.allocators import share_freed_memory

_LOOK_SECONDS = 0.5
_GRACE_SECONDS = 2.0
_KEPT_SECONDS = 2
_COLLECT_SECONDS = 4.0
_LARGE_BYTES = 128 << 20


def main(parent: int, stop: str) -> None:
    """Runs Beam's worker until it is done, its parent is gone, or there is a stop file.

    Args:
        parent: id of the process that started this one.
        stop: path of the file whose being there means to end.
    """
    share_freed_memory()
    threading.Thread(target=_watch, args=(parent, stop), daemon=True).start()
    from apache_beam.runners.worker import sdk_worker, sdk_worker_main

    # What has processed a bundle is kept for so long, for the next one, and with it the side inputs
    # that it had, such as a vocabulary of hundreds of megabytes. By itself Beam keeps it a minute.
    sdk_worker.DEFAULT_BUNDLE_PROCESSOR_CACHE_SHUTDOWN_THRESHOLD_S = _KEPT_SECONDS
    sdk_worker_main.main(sys.argv)


def _watch(parent: int, stop: str) -> None:
    # The system gives a process whose parent is gone another one.
    collected = time.monotonic()
    while os.getppid() == parent:
        if os.path.exists(stop):
            # Most are told by the engine as well, and end in good order before this.
            time.sleep(_GRACE_SECONDS)
            break
        time.sleep(_LOOK_SECONDS)
        if time.monotonic() > collected + _COLLECT_SECONDS:
            _collect_large()
            collected = time.monotonic()
    os._exit(0)


def _collect_large() -> None:
    """Frees what Beam's finished stages refer to in circles, if blocks are among it.

    Python looks for such circles by the number of objects, and a block of hundreds of megabytes is
    one of them.
    """
    if pa.total_allocated_bytes() > _LARGE_BYTES:
        gc.collect()
