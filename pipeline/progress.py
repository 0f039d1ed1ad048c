"""Shows what a local run is doing: one live line on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import TracebackType

from pipeline.plan import Plan
from transforms.progress import BYTES, DIRECTORY_VARIABLE, RECORDS, REJECTS, read_progress

_TERMINAL_SECONDS = 0.5
_LOG_SECONDS = 10.0
_MIB = 1 << 20


class Progress:
    """Shows, while it is entered, the stage that is worked on and how much it has done.

    Args:
        plan: the inputs, for how much there is to do.
        show: whether the workers are on this machine, so that there is something to show.
    """

    def __init__(self, plan: Plan, show: bool) -> None:
        self._totals = {
            "ReadCorpus": plan.corpus_bytes,
            "EncodeExamples": plan.corpus_bytes,
            "JoinVectors": plan.vector_bytes,
        }
        self._show = show
        self._stop = threading.Event()
        self._terminal = sys.stdout.isatty()
        self._started = time.monotonic()

    def __enter__(self) -> None:
        if self._show:
            self._directory = tempfile.TemporaryDirectory(prefix="embprep-")
            os.environ[DIRECTORY_VARIABLE] = self._directory.name
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._show:
            self._stop.set()
            self._thread.join()
            del os.environ[DIRECTORY_VARIABLE]
            self._directory.cleanup()

    def _watch(self) -> None:
        seconds = _TERMINAL_SECONDS if self._terminal else _LOG_SECONDS
        while not self._stop.wait(seconds):
            stages = read_progress(Path(self._directory.name))
            if stages:
                stage, done = list(stages.items())[-1]
                self._print(self._line(stage, done))
        if self._terminal:
            print("\r\x1b[K", end="", flush=True)

    def _print(self, line: str) -> None:
        # Who reads the lines may have gone; the job goes on.
        with contextlib.suppress(BrokenPipeError):
            if self._terminal:
                print(f"\r\x1b[K{line}", end="", flush=True)
            else:
                print(line, flush=True)

    def _line(self, stage: str, done: Counter[str]) -> str:
        total = self._totals.get(stage)
        of_total = f" of {total / _MIB:,.1f}" if total and done[BYTES] <= total else ""
        return (
            f"{time.monotonic() - self._started:6.1f} s  {stage}: "
            f"{done[BYTES] / _MIB:,.1f}{of_total} MiB, {done[RECORDS]:,} records, "
            f"{done[REJECTS]:,} rejects"
        )
