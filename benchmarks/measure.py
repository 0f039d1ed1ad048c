"""Runs a program as a whole process, and measures its time and the memory of its process tree."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

ROOT = Path(__file__).resolve().parent.parent

_SAMPLE_SECONDS = 0.05
# Looking at the processes must not slow down what is measured: at most so much of a processor.
_SAMPLE_SHARE = 0.05
_PEAK = re.compile(rb"VmHWM:\s*(\d+) kB")
_SHOWN_LINES = 15


class ProgramError(Exception):
    """A program ended with an error; the message holds the last of what it wrote."""


class Measured(NamedTuple):
    """One run of a program.

    Attributes:
        seconds: from its start to its end.
        peak_bytes: the sum of the largest resident sizes that each process of its tree had. They
            need not have had them at the same time, so this is an upper bound. Children that
            lived for less than a tenth of a second may be left out. None where there is no /proc
            to read the sizes from.
        last_line: the last line of its standard output.
        process_peaks: the largest resident size of each process, its own first.
    """

    seconds: float
    peak_bytes: int | None
    last_line: str
    process_peaks: tuple[int, ...] = ()


def run_program(command: Sequence[str]) -> Measured:
    """Runs a program from the root of this checkout, which it imports our packages from.

    Raises:
        ProgramError: it ended with another code than 0.
    """
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(ROOT), environment.get("PYTHONPATH")])
    )
    # As on a user's machine: what was imported once is not compiled again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=errors)
        watch = _TreeWatch(process.pid)
        watch.start()
        try:
            code = process.wait()
            seconds = time.perf_counter() - started
        finally:
            process.kill()
            watch.stop()
        lines = _lines(output)
        if code:
            shown = "\n".join([*lines, *_lines(errors)][-_SHOWN_LINES:])
            raise ProgramError(f"{' '.join(command)} ended with {code}:\n{shown}")
    peaks = watch.peaks()
    return Measured(seconds, sum(peaks) or None, lines[-1] if lines else "", peaks)


def _lines(file: IO[bytes]) -> list[str]:
    file.seek(0)
    return file.read().decode(errors="replace").splitlines()


class _TreeWatch(threading.Thread):
    """Looks at a process and its descendants again and again, until it is stopped."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._peaks: dict[int, int] = {}
        self._seen_again: set[int] = {process}
        self._stopped = threading.Event()

    def run(self) -> None:
        pause = 0.0
        while not self._stopped.wait(pause):
            started = time.perf_counter()
            for member in family(self._process):
                if peak := _peak_bytes(member):
                    self._seen_again |= {member} & self._peaks.keys()
                    self._peaks[member] = peak
            taken = time.perf_counter() - started
            pause = max(_SAMPLE_SECONDS, taken / _SAMPLE_SHARE)

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def peaks(self) -> tuple[int, ...]:
        # Between its fork and its exec a child shows the size of its parent. So the last size
        # counts, and that of a child that was seen only once may be its parent's.
        children = sorted(self._seen_again - {self._process})
        return tuple(self._peaks.get(member, 0) for member in (self._process, *children))


def family(process: int) -> list[int]:
    """A process and all that it started, as far as they live; only itself without /proc."""
    parents = {}
    names = os.listdir("/proc") if os.path.isdir("/proc") else []
    for name in filter(str.isdigit, names):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            # A process' name, in brackets, may hold anything.
            parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    members = [process]
    for member in members:
        members += [child for child, parent in parents.items() if parent == member]
    return members


def _peak_bytes(process: int) -> int:
    """The largest resident size that a process has had; 0 if that can't be read."""
    try:
        with open(f"/proc/{process}/status", "rb") as file:
            peak = _PEAK.search(file.read())
    except OSError:
        return 0
    return int(peak[1]) * 1024 if peak else 0
