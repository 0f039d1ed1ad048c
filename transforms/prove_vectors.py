"""Whether the ranges of each vector file add up, and what of its rows was rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from formats.containers import PLAIN
from formats.errors import DataError
from formats.vectors.proof import judge
from formats.vectors.records import RangeReport
from formats.vectors.source import VectorRange, VectorSource, whole_range
from transforms.losses import demand_all


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
        found: rows that were passed on to the join.
        joined: rows of the matrix, and parts of them, that got a vector.
    """

    ordinal: int
    attempt: int
    rows: int
    warnings: list[str]
    problem: str
    rejects: dict[str, int]
    duplicates: int = 0
    found: int = 0
    joined: int = 0


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
            JoinedSource(
                source.ordinal,
                attempt,
                verdict.rows,
                warnings,
                problem,
                {},
                duplicates,
                sum(report.found for report in own),
            )
        )
    return judged


def ranges_to_read_again(
    judged: list[JoinedSource], sources: Sequence[VectorSource]
) -> list[VectorRange]:
    """The files whose ranges did not add up, each as one range."""
    return [whole_range(sources[source.ordinal]) for source in judged if source.problem]


class JoinCounts(NamedTuple):
    """What became of one block of rows.

    Attributes:
        source: ordinal of the file.
        attempt: which reading of it.
        received: how many rows came to be joined.
        joined: how many rows of the matrix, and parts of them, got a vector.
        reasons: how many rows are no vectors, by reason.
        first: offset, reason and excerpt of the first of those, if there are any.
    """

    source: int
    attempt: int
    received: int
    joined: int
    reasons: dict[str, int] = {}
    first: tuple[int, str, str] | None = None

    def with_rejects(self, rejects: Any) -> JoinCounts:
        """The same with the rows of a block of ``formats.blocks.REJECTS``."""
        rows = [(row["offset"], row["reason"], row["excerpt"]) for row in rejects.to_pylist()]
        reasons = Counter(reason for _, reason, _ in rows)
        return self._replace(reasons=dict(reasons), first=min(rows))


def that_count(rejected: tuple[int, int, Any], joined: list[JoinedSource]) -> Iterator[Any]:
    """The block of rejects, if the reading that it is of counts."""
    source, attempt, block = rejected
    if joined[source].attempt == attempt:
        yield block


def with_counts(
    judged: list[JoinedSource],
    counts: Iterable[JoinCounts],
    sources: Sequence[VectorSource],
    max_reject_fraction: float,
) -> list[JoinedSource]:
    """Adds what the join counted to what the readings came to.

    Raises:
        DataError: too many rows are no vectors, or some never came to be joined.
    """
    received: Counter[int] = Counter()
    joined: Counter[int] = Counter()
    reasons: list[Counter[str]] = [Counter() for _ in sources]
    first: dict[int, tuple[int, str, str]] = {}
    for block in counts:
        if block.attempt == judged[block.source].attempt:
            received[block.source] += block.received
            joined[block.source] += block.joined
            reasons[block.source].update(block.reasons)
            if block.first is not None:
                first[block.source] = min(first.get(block.source, block.first), block.first)
    for of_source, source in zip(judged, sources, strict=True):
        demand_all(f"{source.name}: rows to be joined", of_source.found, received[source.ordinal])
        bad = reasons[source.ordinal].total()
        if bad > max_reject_fraction * of_source.rows:
            offset, reason, excerpt = first[source.ordinal]
            raise DataError(
                f"{source.name}: {source.place(offset)}: expected finite floats, found "
                f"{excerpt} ({reason}); {bad} rows are bad, and at most a share of "
                f"{max_reject_fraction} may be: mend them or raise the second number of "
                "--max_reject_fraction"
            )
    return [
        of_source._replace(
            rejects=dict(sorted(reasons[of_source.ordinal].items())),
            joined=joined[of_source.ordinal],
        )
        for of_source in judged
    ]
