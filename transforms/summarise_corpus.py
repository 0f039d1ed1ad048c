"""SummariseCorpus: labels, examples by split and rejects of a corpus, before it is encoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.pvalue import AsIter
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from formats.blocks import SPLITS
from formats.errors import DataError

_ROWS, _TOKENS, _LABEL, _REJECT = "rows", "tokens", "label", "reject"

_PLACE = ("file", "offset", "reason")

# Counts by kind and name, and the first bad row as (file, offset, reason).
_Totals = tuple[dict[tuple[str, str], int], list[tuple[str, int, str]]]


class CorpusSummary(NamedTuple):
    """What a corpus holds.

    Attributes:
        labels: the distinct labels, sorted; their places are the label ids.
        examples: rows by split.
        rejects: rows that can't be used, by reason.
        tokens: tokens of all rows, by split.
    """

    labels: list[str]
    examples: dict[str, int]
    rejects: dict[str, int]
    tokens: dict[str, int]


class SummariseCorpus(beam.PTransform[Any, Any]):
    """Counts what a corpus holds, and fails the job if too much of it is bad.

    Takes a tuple of two PCollections, blocks of ``formats.blocks.TOKENS`` and of
    ``formats.blocks.REJECTS``, and gives a single ``CorpusSummary``.

    Args:
        max_reject_fraction: the largest share of rows that may be rejected.

    Raises:
        DataError: in the worker, if more rows are bad, or if there are no good ones.
    """

    def __init__(self, max_reject_fraction: float) -> None:
        super().__init__()
        self._max_reject_fraction = max_reject_fraction

    def expand(self, tokens_and_rejects: Any) -> Any:
        tokens, rejects = tokens_and_rejects
        rows = tokens | "CountRows" >> beam.ParDo(_AddUpBundle(_count_rows))
        bad = rejects | "CountRejects" >> beam.ParDo(_AddUpBundle(_count_rejects))
        return (
            tokens.pipeline
            | "Once" >> beam.Impulse()
            | "Summarise"
            >> beam.Map(_summarise, AsIter(rows), AsIter(bad), self._max_reject_fraction)
        )


@beam.typehints.with_output_types(tuple[Any, ...])
class _AddUpBundle(beam.DoFn):
    """Adds up the totals of all blocks of a bundle."""

    def __init__(self, count: Callable[[Any], _Totals]) -> None:
        self._count = count

    def start_bundle(self) -> None:
        self._totals: list[_Totals] = []

    def process(self, block: pa.RecordBatch) -> None:
        self._totals = [_add_up([*self._totals, self._count(block)])]

    def finish_bundle(self) -> Iterator[Any]:
        for totals in self._totals:
            yield WindowedValue(totals, GlobalWindow().max_timestamp(), (GlobalWindow(),))


def _count_rows(block: Any) -> _Totals:
    counts = {}
    for entry in pc.value_counts(block.column("split")).to_pylist():
        counts[(_ROWS, SPLITS[entry["values"]])] = entry["counts"]
    lengths = pc.list_value_length(block.column("tokens")).to_numpy()
    of_splits = np.bincount(block.column("split").to_numpy(), lengths, len(SPLITS))
    for split, number in zip(SPLITS, of_splits.astype(np.int64).tolist(), strict=True):
        counts[(_TOKENS, split)] = number
    for entry in pc.value_counts(block.column("label").drop_null()).to_pylist():
        counts[(_LABEL, entry["values"])] = entry["counts"]
    return counts, []


def _count_rejects(block: Any) -> _Totals:
    counts = {}
    for entry in pc.value_counts(block.column("reason")).to_pylist():
        counts[(_REJECT, entry["values"])] = entry["counts"]
    first = min(zip(*(block.column(name).to_pylist() for name in _PLACE), strict=True))
    return counts, [first]


def _add_up(totals: Iterable[_Totals]) -> _Totals:
    merged: Counter[tuple[str, str]] = Counter()
    first: list[tuple[str, int, str]] = []
    for counts, place in totals:
        merged.update(counts)
        first = sorted(first + place)[:1]
    return dict(merged), first


def _summarise(
    _: bytes, rows: Iterable[_Totals], rejects: Iterable[_Totals], max_reject_fraction: float
) -> CorpusSummary:
    counts, first = _add_up([*rows, *rejects])

    def part(kind: str) -> dict[str, int]:
        return {key[1]: counts[key] for key in sorted(counts) if key[0] == kind}

    summary = CorpusSummary(
        sorted(part(_LABEL), key=str.encode), part(_ROWS), part(_REJECT), part(_TOKENS)
    )
    good, bad = sum(summary.examples.values()), sum(summary.rejects.values())
    if not good and not bad:
        raise DataError("corpus: its files hold no rows; check --corpus")
    if bad > max_reject_fraction * (good + bad) or not good:
        reasons = ", ".join(f"{reason}: {number}" for reason, number in summary.rejects.items())
        place = "the first is in {} at byte {} ({})".format(*first[0])
        raise DataError(
            f"corpus: {bad} of {good + bad} rows are bad ({reasons}); {place}; at "
            f"most a share of {max_reject_fraction} may be: mend them or raise "
            "--max_reject_fraction"
        )
    return summary
