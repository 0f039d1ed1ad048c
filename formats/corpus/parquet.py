"""Apache Parquet: a column of text and a column of labels, read by row groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from formats.arrow_errors import ARROW_ERRORS
from formats.containers import OpenFile
from formats.corpus.ranges import CorpusRange
from formats.corpus.rows import Candidates, files_of
from formats.errors import DataError, damaged

_BUFFER_BYTES = 1 << 20
# Texts that come again and again take next to nothing in a file, and all their bytes in a batch.
_MAX_BATCH_ROWS = 1 << 14


def open_parquet(stream: BinaryIO, uri: str) -> Any:
    """Opens a file as a ``pyarrow.parquet.ParquetFile`` that reads ahead one MiB a column.

    Raises:
        DataError: it is none.
    """
    try:
        file = pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES)
        _ = file.schema_arrow.names
    except ARROW_ERRORS as error:
        raise _damaged(uri, error) from error
    return file


def read(work: CorpusRange, open_file: OpenFile, block_bytes: int) -> Iterator[Candidates]:
    """Reads the row groups of a range; offsets are row numbers.

    Raises:
        DataError: the file is damaged.
    """
    uri = work.uris[0]
    with open_file(uri) as stream:
        file = open_parquet(stream, uri)
        groups = [file.metadata.row_group(group) for group in range(work.stop)]
        row = sum(group.num_rows for group in groups[: work.start])
        mine = groups[work.start :]
        end = row + sum(group.num_rows for group in mine)
        bytes_per_row = sum(g.total_byte_size for g in mine) / max(sum(g.num_rows for g in mine), 1)
        batches = file.iter_batches(
            batch_size=min(max(int(block_bytes / max(bytes_per_row, 1)), 1), _MAX_BATCH_ROWS),
            row_groups=range(work.start, work.stop),
            columns=[name for name in (work.text_column, work.label_column) if name],
            use_threads=False,
        )
        try:
            for batch in batches:
                yield _candidates(work, batch, row)
                row += batch.num_rows
        except ARROW_ERRORS as error:
            raise _damaged(uri, error) from error
        if row != end:
            raise damaged(
                uri,
                f"row {row}",
                expected=f"{end} rows up to row group {work.stop - 1}, as the file's end says",
                found=f"{row}",
                remedy="the file is damaged: copy it again",
            )


def is_text(kind: Any) -> bool:
    """Whether a column of this Arrow type can hold texts."""
    return any(
        is_kind(_value_type(kind))
        for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    )


def is_label(kind: Any) -> bool:
    """Whether a column of this Arrow type can hold labels: texts, numbers, booleans."""
    kind = _value_type(kind)
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return numeric or is_text(kind)


def _value_type(kind: Any) -> Any:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _candidates(work: CorpusRange, batch: Any, row: int) -> Candidates:
    texts = _plain(batch.column(work.text_column))
    return Candidates(
        texts=texts,
        labels=_labels(batch.column(work.label_column)) if work.label_column else None,
        files=files_of(work, batch.num_rows),
        offsets=np.arange(row, row + batch.num_rows, dtype=np.int64),
        reasons=np.zeros(batch.num_rows, np.int8),
        raw=lambda index: texts.cast(pa.binary())[index].as_py() or b"",
        bytes_read=batch.nbytes,
    )


def _labels(column: Any) -> Any:
    column = _plain(column)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    return column if is_text(column.type) else column.cast(pa.string())


def _plain(column: Any) -> Any:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _damaged(uri: str, error: Exception) -> DataError:
    return DataError(f"{uri}: not a Parquet file that can be read: {error}; copy it again")
