"""Measures both sides of a case in alternation."""

from __future__ import annotations

import json
import shutil
import statistics
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cases import Case, Side
from benchmarks.measure import Measured, ProgramError, run_program


@dataclass
class Runs:
    """The measured runs of one side: seconds of each, and bytes of memory where known."""

    seconds: list[float] = field(default_factory=list)
    peak_bytes: list[int | None] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)

    @property
    def peak(self) -> int | None:
        """The most memory of any run; None if it is not known of each."""
        known = [peak for peak in self.peak_bytes if peak is not None]
        return max(known) if known and len(known) == len(self.peak_bytes) else None

    def add(self, run: Measured, *, inside: bool) -> None:
        """Adds a run; ``inside`` takes the seconds that the program itself printed."""
        self.seconds.append(_told(run)["seconds"] if inside else run.seconds)
        self.peak_bytes.append(run.peak_bytes)


@dataclass
class Measurement:
    """The runs of a case.

    Attributes:
        ours: embprep's.
        peer: the peer's; empty without one.
        parts: seconds of each part of embprep's work, by round.
    """

    ours: Runs = field(default_factory=Runs)
    peer: Runs = field(default_factory=Runs)
    parts: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """How many times as long the peer took: the median of the ratios of the rounds."""
        pairs = zip(self.peer.seconds, self.ours.seconds, strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)

    @property
    def memory_ratio(self) -> float | None:
        """How many times the memory the peer took, by the largest of each side's runs."""
        if self.ours.peak is None or self.peer.peak is None:
            return None
        return self.peer.peak / self.ours.peak


def measure(case: Case, rounds: int, warmups: int) -> Measurement:
    """Runs both sides in alternation, and checks that they made the same.

    Args:
        case: the case.
        rounds: measured rounds, each of one run of each side.
        warmups: rounds before them that do not count.

    Raises:
        ProgramError: a program failed.
        MismatchError: the sides did not make the same.
    """
    measurement = Measurement()
    for number in range(-warmups, rounds):
        ours = _run(case.ours)
        peer = None if case.peer is None else _run(case.peer)
        if number < 0:
            continue
        measurement.ours.add(ours, inside=case.kernel)
        if peer is not None:
            measurement.peer.add(peer, inside=case.kernel)
        if case.parts is not None:
            _add_parts(measurement, _run(case.parts))
        print(f"  round {number + 1}: {_said(measurement)}", flush=True)
    case.check()
    return measurement


def _run(side: Side) -> Measured:
    # What an earlier run left would be replaced or kept beside, and both take time and disk.
    shutil.rmtree(side.output, ignore_errors=True)
    side.output.mkdir(parents=True)
    return run_program(side.command)


def _add_parts(measurement: Measurement, run: Measured) -> None:
    told = _told(run)
    outside = {"interpreter": run.seconds - told["seconds"]}
    for part, seconds in {**outside, **told["parts"]}.items():
        measurement.parts.setdefault(part, []).append(seconds)


def _told(run: Measured) -> dict[str, Any]:
    """What a program told of itself in its last line."""
    try:
        told: dict[str, Any] = json.loads(run.last_line)
        float(told["seconds"])
    except (ValueError, TypeError, KeyError) as error:
        raise ProgramError(f"no seconds in the last line of a program: {run.last_line}") from error
    return told


def _said(measurement: Measurement) -> str:
    ours, peer = measurement.ours, measurement.peer
    said = f"embprep {_said_run(ours)}"
    if peer.seconds:
        ratio = peer.seconds[-1] / ours.seconds[-1]
        said += f"; peer {_said_run(peer)}; ratio {ratio:.2f}"
    parts = (f"{part} {seconds[-1]:.2f}" for part, seconds in measurement.parts.items())
    return "; ".join([said, ", ".join(parts)] if measurement.parts else [said])


def _said_run(runs: Runs) -> str:
    peak = runs.peak_bytes[-1]
    return f"{runs.seconds[-1]:.2f} s" + ("" if peak is None else f" {peak / 1e6:,.0f} MB")
