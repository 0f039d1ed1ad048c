"""Whether the ranges of each vector file add up, and what of its rows was rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from formats.errors import DataError
from formats.vectors.containers import PLAIN
from formats.vectors.proof import judge
from formats.vectors.records import RangeReport
from formats.vectors.source import VectorRange, VectorSource, whole_range


class JoinedSource(NamedTuple):
    """What the reading of one vector file came to.

    Attributes:
        ordinal: its place among the vector files of the job.
        attempt: 0 if its ranges were read in parallel, 1 if it had to be read in order.
        rows: rows of the file.
        warnings: irregularities that were read around.
        problem: why the ranges did not add up, if it must still be read in order, else empty.
        rejects: rows that were wanted but are no vectors, by reason.
        duplicates: wanted tokens that came again, if that was found while reading.
    """

    ordinal: int
    attempt: int
    rows: int
    warnings: list[str]
    problem: str
    rejects: dict[str, int]
    duplicates: int = 0


def judge_sources(
    _: bytes,
    reports: Iterable[RangeReport],
    sources: Sequence[VectorSource],
    earlier: list[JoinedSource] | None,
) -> list[JoinedSource]:
    """What the readings of the files came to, without their rejects."""
    reports = list(reports)
    judged = []
    for source in sources:
        if earlier and not earlier[source.ordinal].problem:
            judged.append(earlier[source.ordinal])
            continue
        own = [report for report in reports if report.source == source.ordinal]
        in_order = earlier is not None or source.container.kind != PLAIN
        verdict = judge(own, source.layout, None if in_order else source.size, source.name)
        if verdict.problem and (in_order or not source.can_lose_its_place):
            raise verdict.problem
        problem = str(verdict.problem or "")
        attempt = own[0].attempt
        warnings = list(verdict.warnings)
        if earlier:
            warnings.append(
                f"{source.name}: its ranges did not add up ({earlier[source.ordinal].problem}), "
                "so it was read in order by one worker"
            )
        duplicates = sum(report.duplicates for report in own)
        judged.append(
            JoinedSource(source.ordinal, attempt, verdict.rows, warnings, problem, {}, duplicates)
        )
    return judged


def ranges_to_read_again(
    judged: list[JoinedSource], sources: Sequence[VectorSource]
) -> list[VectorRange]:
    """The files whose ranges did not add up, each as one range."""
    return [whole_range(sources[source.ordinal]) for source in judged if source.problem]


class RejectCounts(NamedTuple):
    """Rejects of one block.

    Attributes:
        source: ordinal of the file.
        attempt: which reading of it.
        reasons: how many rows by reason.
        first: offset, reason and excerpt of the first of them.
    """

    source: int
    attempt: int
    reasons: dict[str, int]
    first: tuple[int, str, str]


def count_rejects(rejected: tuple[int, int, Any]) -> RejectCounts:
    """Counts the rejects of one block."""
    source, attempt, batch = rejected
    rows = [(row["offset"], row["reason"], row["excerpt"]) for row in batch.to_pylist()]
    reasons = Counter(reason for _, reason, _ in rows)
    return RejectCounts(source, attempt, dict(reasons), min(rows))


def that_count(rejected: tuple[int, int, Any], joined: list[JoinedSource]) -> Iterator[Any]:
    """The block of rejects, if the reading that it is of counts."""
    source, attempt, block = rejected
    if joined[source].attempt == attempt:
        yield block


def with_rejects(
    judged: list[JoinedSource],
    rejects: Iterable[RejectCounts],
    sources: Sequence[VectorSource],
    max_reject_fraction: float,
) -> list[JoinedSource]:
    """Adds the rejects to what the readings came to."""
    counts: list[Counter[str]] = [Counter() for _ in sources]
    first: dict[int, tuple[int, str, str]] = {}
    for block in rejects:
        if block.attempt == judged[block.source].attempt:
            counts[block.source].update(block.reasons)
            first[block.source] = min(first.get(block.source, block.first), block.first)
    for joined, reasons in zip(judged, counts, strict=True):
        if reasons.total() > max_reject_fraction * joined.rows:
            source = sources[joined.ordinal]
            offset, reason, excerpt = first[joined.ordinal]
            raise DataError(
                f"{source.name}: {source.place(offset)}: expected finite floats, found "
                f"{excerpt} ({reason}); {reasons.total()} rows are bad, and at most a share of "
                f"{max_reject_fraction} may be: mend them or raise the second number of "
                "--max_reject_fraction"
            )
    return [
        joined._replace(rejects=dict(sorted(reasons.items())))
        for joined, reasons in zip(judged, counts, strict=True)
    ]
