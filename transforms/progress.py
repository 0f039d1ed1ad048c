"""What a job has done so far, as Beam's metrics and, on one machine, in files of a folder.

A stage counts what it has done, and tells how large each piece of its work was and how long it
took, since one large piece keeps one worker busy while the others have nothing left to do.

Beam's local engine reports counters when a stage is over. So that a person sees a stage while
it runs, each worker process of a local run also keeps a small file up to date in the folder
that the environment variable names; whoever shows the progress adds them up.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from apache_beam.metrics import Metrics

DIRECTORY_VARIABLE = "EMBPREP_PROGRESS_DIR"
NAMESPACE = "embprep"
BYTES, RECORDS, REJECTS = "bytes", "records", "rejects"
MILLISECONDS = "milliseconds"
RANGE, SHARD = "range", "shard"

_WRITE_SECONDS = 0.2

# Set while workers in threads of this process are to leave off, because another has failed.
STOP = threading.Event()


class StoppedError(Exception):
    """Another worker has failed, and the job with it."""


class StageProgress:
    """Counts the bytes, records and rejects of one stage, and measures the pieces of its work.

    The counters are called ``STAGE_bytes`` and so on, the distributions ``STAGE_PIECE_bytes``,
    ``STAGE_PIECE_records`` and ``STAGE_PIECE_milliseconds``.

    Args:
        stage: its name.
        piece: what a piece of its work is: ``RANGE`` of the input, or ``SHARD`` of the output.
    """

    def __init__(self, stage: str, piece: str = RANGE) -> None:
        self._stage = stage
        self._counters = {
            what: Metrics.counter(NAMESPACE, f"{stage}_{what}")
            for what in (BYTES, RECORDS, REJECTS)
        }
        self._distributions = {
            what: Metrics.distribution(NAMESPACE, f"{stage}_{piece}_{what}")
            for what in (BYTES, RECORDS, MILLISECONDS)
        }

    def add(self, *, read: int = 0, records: int = 0, rejects: int = 0) -> None:
        """Adds what one block brought; ``read`` is in bytes.

        Raises:
            StoppedError: the job has failed elsewhere.
        """
        if STOP.is_set():
            raise StoppedError
        done = {BYTES: read, RECORDS: records, REJECTS: rejects}
        for what, number in done.items():
            if number:
                self._counters[what].inc(number)
        if directory := os.environ.get(DIRECTORY_VARIABLE):
            _process_progress.add(self._stage, done, Path(directory))

    def add_piece(self, size: int, records: int, since: float) -> None:
        """Adds a piece of the work to the distributions, once it is done.

        Args:
            size: its bytes.
            records: its records.
            since: when it was begun, by ``time.monotonic``.
        """
        milliseconds = round(1000 * (time.monotonic() - since))
        piece = {BYTES: size, RECORDS: records, MILLISECONDS: milliseconds}
        for what, number in piece.items():
            self._distributions[what].update(number)

    @contextlib.contextmanager
    def piece(self) -> Iterator[PieceProgress]:
        """A piece of the work for as long as the block takes; one that fails is not measured.

        In a generator that is what a worker is kept by the piece: Beam does the work of the stages
        that it has fused with this one while the generator waits.
        """
        since = time.monotonic()
        piece = PieceProgress(self)
        yield piece
        self.add_piece(piece.size, piece.records, since)


class PieceProgress:
    """Counts the bytes, records and rejects of one piece of a stage's work.

    Attributes:
        size: bytes so far.
        records: records so far.
    """

    def __init__(self, stage: StageProgress) -> None:
        self._stage = stage
        self.size = 0
        self.records = 0

    def add(self, *, read: int = 0, records: int = 0, rejects: int = 0) -> None:
        """Adds what one block brought, to the stage too, as ``StageProgress.add`` does."""
        self._stage.add(read=read, records=records, rejects=rejects)
        self.size += read
        self.records += records


class _ProcessProgress:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._directory = Path()
        self._stages: dict[str, Counter[str]] = {}
        self._written = 0.0

    def add(self, stage: str, done: dict[str, int], directory: Path) -> None:
        with self._lock:
            if directory != self._directory:
                # Another run of the same process begins.
                self._directory, self._stages, self._written = directory, {}, 0.0
            # The stage that is worked on is the last one.
            self._stages[stage] = self._stages.pop(stage, Counter()) + Counter(done)
            if time.monotonic() - self._written < _WRITE_SECONDS:
                return
            self._written = time.monotonic()
            _replace(directory / f"{os.getpid()}.json", json.dumps(self._stages))


def read_progress(directory: Path) -> dict[str, Counter[str]]:
    """Adds up what the worker processes have written; the stage now worked on is the last."""
    total: dict[str, Counter[str]] = {}
    for path in sorted(directory.glob("*.json"), key=lambda path: path.stat().st_mtime):
        for stage, done in json.loads(path.read_text()).items():
            total[stage] = total.pop(stage, Counter()) + Counter(done)
    return total


def _replace(path: Path, text: str) -> None:
    # Progress is a courtesy: a full disk or a folder that is gone must not fail the job.
    with contextlib.suppress(OSError):
        partial = path.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(path)


_process_progress = _ProcessProgress()
