"""WriteVocabulary: the vocabulary's files, and how much of it has vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import AsIter

from formats.dataset.coverage import measure_coverage, vocabulary_table
from formats.dataset.manifest import Coverage, VocabularyInfo
from formats.dataset.paths import vocabulary_table_path, vocabulary_text_path
from formats.dataset.vocabulary import (
    OOV_ID,
    PAD_ID,
    write_vocabulary_table,
    write_vocabulary_text,
)
from transforms.storage import create_file, join
from transforms.write_matrix import ServedRows


class WrittenVocabulary(NamedTuple):
    """What was written, for the manifest.

    Attributes:
        info: the files.
        coverage: how much of the vocabulary has vectors.
        duplicates: by source, rows of the vocabulary's tokens that repeat one.
        arrived: by source, vectors that came to the matrix.
        subword: tokens without a vector whose rows were made of subwords.
    """

    info: VocabularyInfo
    coverage: Coverage
    duplicates: dict[int, int]
    arrived: dict[int, int]
    subword: int


class WriteVocabulary(beam.PTransform[Any, Any]):
    """Writes vocabulary.txt and vocabulary.parquet.

    Takes a PCollection with one block, the vocabulary, and gives one ``WrittenVocabulary``.

    Args:
        served: PCollection of ``ServedRows``.
        source_names: what the sources are called in the files, by ordinal.
        rules: the rules of the join, in their order.
        unk_tokens: its names for the vector of unknown words, in their order.
        output: URI of the dataset.
        run_id: the run under which the files are written.
    """

    def __init__(
        self,
        served: Any,
        source_names: Sequence[str],
        rules: Sequence[str],
        unk_tokens: Sequence[str],
        output: str,
        run_id: str,
    ) -> None:
        super().__init__()
        self._served = served
        self._arguments = list(source_names), list(rules), list(unk_tokens), output, run_id

    def expand(self, vocabulary: Any) -> Any:
        return vocabulary | "WriteFiles" >> beam.Map(_write, AsIter(self._served), *self._arguments)


def _write(
    vocabulary: Any,
    served: Iterable[ServedRows],
    source_names: Sequence[str],
    rules: Sequence[str],
    unk_tokens: Sequence[str],
    output: str,
    run_id: str,
) -> WrittenVocabulary:
    parts = sorted(served, key=lambda part: part.first_row)
    sources = np.hstack([_by_part(part.sources, np.int32, part.rows) for part in parts])
    by_rule = np.hstack([_by_part(part.rules, np.int8, part.rows) for part in parts])
    duplicates: Counter[int] = Counter()
    arrived: Counter[int] = Counter()
    for part in parts:
        duplicates.update(part.duplicates)
        arrived.update(part.arrived)
    table = vocabulary_table(vocabulary, sources, source_names, by_rule, rules)
    path, table_path = vocabulary_text_path(run_id), vocabulary_table_path(run_id)
    with create_file(join(output, path)) as file:
        file.write(write_vocabulary_text(vocabulary.column("token")))
    with create_file(join(output, table_path)) as table_file:
        write_vocabulary_table(table_file.stream, table)
    info = VocabularyInfo(
        path=path,
        size=vocabulary.num_rows,
        sha256=file.sha256,
        pad_id=PAD_ID,
        oov_id=OOV_ID,
        parquet_path=table_path,
        parquet_sha256=table_file.sha256,
        unk_token=_unk_token(by_rule[:, OOV_ID], unk_tokens),
    )
    return WrittenVocabulary(
        info,
        measure_coverage(table, source_names, rules),
        dict(duplicates),
        dict(arrived),
        sum(part.subword for part in parts),
    )


def _by_part(data: bytes, dtype: type[Any], rows: int) -> Any:
    return np.frombuffer(data, dtype).reshape(-1, rows)


def _unk_token(by_rule: Any, unk_tokens: Sequence[str]) -> str | None:
    """What the first part that has a row for unknown words calls it."""
    return next((unk_tokens[rule] for rule in by_rule.tolist() if rule >= 0), None)
