"""Shows what a build is doing: one live line on a terminal, plain log lines elsewhere."""

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
from typing import Any

from pipeline.engine_progress import EngineProgress
from pipeline.plan import Plan
from transforms.progress import BYTES, DIRECTORY_VARIABLE, RECORDS, REJECTS, read_progress

_TERMINAL_SECONDS = 0.5
_LOG_SECONDS = 10.0
_MIB = 1 << 20


class Progress:
    """Shows, while it is entered, the stage that is worked on and how much it has done.

    Workers of this process, or started by it, tell it through files. What others have done is
    asked of their engine, from when ``follow`` is called.

    Args:
        plan: the inputs, for how much there is to do.
    """

    def __init__(self, plan: Plan) -> None:
        self._totals = {
            "ReadCorpus": plan.corpus_bytes,
            "EncodeExamples": plan.corpus_bytes,
            "JoinVectors": plan.vector_bytes,
        }
        self._engine: EngineProgress | None = None
        self._stop = threading.Event()
        self._terminal = sys.stdout.isatty()
        self._started = time.monotonic()
        self._first: dict[str, tuple[float, int]] = {}

    def __enter__(self) -> Progress:
        self._directory = tempfile.TemporaryDirectory(prefix="embprep-")
        os.environ[DIRECTORY_VARIABLE] = self._directory.name
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        del os.environ[DIRECTORY_VARIABLE]
        self._directory.cleanup()

    def follow(self, result: Any) -> None:
        """Takes Beam's handle of the job, which has begun to run on another engine."""
        self._engine = EngineProgress(result)

    def _watch(self) -> None:
        seconds = _TERMINAL_SECONDS if self._terminal else _LOG_SECONDS
        while not self._stop.wait(seconds):
            stages = self._stages()
            if stages:
                stage, done = list(stages.items())[-1]
                self._print(self._line(stage, done))
            elif self._engine is not None:
                self._print(f"{self._seconds():6.1f} s  running; the engine tells no more yet")
        if self._terminal:
            print("\r\x1b[K", end="", flush=True)

    def _stages(self) -> dict[str, Counter[str]]:
        """What each stage has done; the one now worked on is the last."""
        stages = read_progress(Path(self._directory.name))
        if not stages and self._engine is not None:
            stages = self._engine.stages()
        return stages

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
        left = self._left(stage, done[BYTES], total) if of_total else ""
        return (
            f"{self._seconds():6.1f} s  {stage}: "
            f"{done[BYTES] / _MIB:,.1f}{of_total} MiB, {done[RECORDS]:,} records, "
            f"{done[REJECTS]:,} rejects{left}"
        )

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _left(self, stage: str, done: int, total: int | None) -> str:
        """How long the stage will take at the speed that it was first seen to have."""
        now = time.monotonic()
        began, before = self._first.setdefault(stage, (now, done))
        if not total or done <= before:
            return ""
        return f", {(total - done) * (now - began) / (done - before):,.0f} s left"
