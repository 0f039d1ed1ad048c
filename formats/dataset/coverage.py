"""How much of a vocabulary has vectors, from its table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from formats.dataset.manifest import Coverage
from formats.dataset.vocabulary import OOV_ID

_TOP_OOV = 20


def vocabulary_table(
    vocabulary: Any,
    sources: npt.NDArray[np.int32],
    source_names: Sequence[str],
    by_rule: npt.NDArray[np.int8],
    rules: Sequence[str],
) -> Any:
    """The table of vocabulary.parquet; ``source`` and ``rule`` are encoded by dictionaries.

    Args:
        vocabulary: a batch of ``formats.blocks.VOCABULARY``, [PAD] and [UNK] included.
        sources: int32 [parts, size], for each part of a row of the matrix the ordinal of the
            source that serves it; -1 for none. Several parts are one source each, side by side.
        source_names: what the sources are called.
        by_rule: int8 [parts, size], place of the rule by which each token was found; -1 for none.
        rules: what the rules are called.
    """
    found = sources >= 0
    # A file's own row for unknown words is none of a word.
    found[:, : OOV_ID + 1] = False
    matched = np.asarray(found.any(axis=0))
    first = found.argmax(axis=0), np.arange(found.shape[1])
    rule_names = pa.array(rules, pa.string())
    columns = {
        "token": vocabulary.column("token"),
        "count": vocabulary.column("count"),
        "source": _named(sources[first], ~matched, pa.array(source_names, pa.string())),
        "rule": _named(by_rule[first], ~matched, rule_names),
        "matched": pa.array(matched),
    }
    if len(sources) == 1:
        return pa.table(columns)
    each = rule_names.take(pa.array(by_rule.T.reshape(-1), mask=~found.T.reshape(-1)))
    offsets = np.arange(found.shape[1] + 1, dtype=np.int32) * len(sources)
    columns["rules"] = pa.ListArray.from_arrays(offsets, each)
    return pa.table(columns)


def _named(numbers: Any, missing: Any, names: Any) -> Any:
    """The names of those numbers that are not missing."""
    return pa.DictionaryArray.from_arrays(pa.array(numbers, mask=missing), names)


def measure_coverage(table: Any, source_names: Sequence[str], rules: Sequence[str]) -> Coverage:
    """Coverage of a vocabulary by its table; [PAD] and [UNK] do not count.

    Args:
        table: the table of vocabulary.parquet.
        source_names: what the sources are called, in their order.
        rules: what the rules are called, in their order.
    """
    words = table.slice(OOV_ID + 1)
    # Tokens are most of what a large vocabulary takes, and are asked for in a few rows only.
    matched = words.drop_columns(["token"]).filter(words.column("matched"))
    missing = words.select(["token", "count"]).filter(pc.invert(words.column("matched")))
    order = [("count", "descending"), ("token", "ascending")]
    top = missing.take(pc.sort_indices(missing, sort_keys=order)[:_TOP_OOV])
    return Coverage(
        vocabulary=words.num_rows,
        matched=matched.num_rows,
        type_coverage=_share(matched.num_rows, words.num_rows),
        token_coverage=_share(_total(matched), _total(words)),
        by_source=_by_source(matched, source_names),
        by_rule={rule: 0 for rule in rules} | _counts(matched.column("rule")),
        top_oov=list(
            zip(top.column("token").to_pylist(), top.column("count").to_pylist(), strict=True)
        ),
    )


def _by_source(matched: Any, source_names: Sequence[str]) -> dict[str, int]:
    """How many tokens each source serves; of sources that stand side by side several serve one."""
    if "rules" not in matched.column_names:
        return {name: 0 for name in source_names} | _counts(matched.column("source"))
    counts = {name: 0 for name in source_names}
    for rules in matched.column("rules").to_pylist():
        for name, rule in zip(source_names, rules, strict=False):
            counts[name] += rule is not None
    return counts


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _total(table: Any) -> int:
    return pc.sum(table.column("count")).as_py() or 0


def _counts(column: Any) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()}
