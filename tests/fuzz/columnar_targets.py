"""Vector files that keep tokens apart from vectors: arrays and tables."""

from __future__ import annotations

import gzip
import io
from functools import partial
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import safetensors.numpy

from formats.containers import PLAIN, OpenFile
from formats.errors import DataError
from formats.vectors.array_rows import ArrayLayout
from formats.vectors.layout import Layout
from formats.vectors.proof import judge
from formats.vectors.records import RangeReport
from formats.vectors.source import (
    VectorRange,
    VectorSource,
    cut_ranges,
    open_source,
    read_range,
    whole_range,
)
from tests.formats.vectors.table_files import arrow_bytes, npy, parquet_bytes, table
from tests.fuzz.mutations import mutate_in_place, mutate_safetensors
from tests.fuzz.repairs import repair_gzip, repair_npy
from tests.fuzz.target import NAME, Choices, Target, opener, short_opener

_WORDS = "words"
_TOKENS = ["the", ",", "café", ". . .", "\x85", "", " ", "<unk>"]
_TEXT = "".join(f"{token}\n" for token in _TOKENS).encode()
_MATRIX = np.random.default_rng(0).normal(size=(len(_TOKENS), 3)).astype(np.float32)
_TABLE = table(_TOKENS, _MATRIX)
_LISTS = table([token.encode() for token in _TOKENS], _MATRIX.astype("f8"), fixed=False)


class Reading(NamedTuple):
    """The rows that were found, as places, tokens and vectors, and the problem with them."""

    rows: list[tuple[int, bytes, bytes]]
    problem: DataError | None


def read_columnar(spec: str, data: bytes, choices: Choices) -> None:
    """Reads a file in order and in ranges, whose rows must be the same."""
    source = open_source(0, spec, len(data), _with_words(opener(data)), exists=_exists)
    if isinstance(source.layout, Layout):
        # Rows of text or of word2vec, which have targets of their own.
        return
    whole = _read_all(source, [whole_range(source)], opener(data))
    if source.container.kind == PLAIN:
        # pyarrow takes a short read for the end of a file.
        short = isinstance(source.layout, ArrayLayout)
        open_file = (
            short_opener(data, max(choices.most, len(data) // 64)) if short else opener(data)
        )
        cut = _read_all(source, cut_ranges(source, choices.range_bytes(len(data))), open_file)
        assert (cut.problem is None) == (whole.problem is None), (cut.problem, whole.problem)
        assert cut.problem or cut.rows == whole.rows, (cut, whole)
    if whole.problem is not None:
        raise whole.problem


def read_vocabulary_of_array(data: bytes, choices: Choices) -> None:
    """Reads a vocabulary text beside an array of eight rows."""

    def open_file(uri: str) -> BinaryIO:
        return io.BytesIO(data if uri == NAME else npy(_MATRIX))

    spec, size = f"array?tokens={NAME}", len(npy(_MATRIX))
    source = open_source(0, spec, size, open_file, exists=_exists)
    whole = _read_all(source, [whole_range(source)], open_file)
    cut = _read_all(source, cut_ranges(source, choices.range_bytes(source.size)), open_file)
    if whole.problem is not None:
        assert cut.problem is not None
        raise whole.problem
    assert cut == whole
    assert b"".join(vector for _, _, vector in whole.rows) == _MATRIX.tobytes()


def _exists(uri: str) -> bool:
    return True


def _with_words(open_file: OpenFile) -> OpenFile:
    return lambda uri: io.BytesIO(_TEXT) if uri == _WORDS else open_file(uri)


def _read_all(source: VectorSource, ranges: list[VectorRange], open_file: OpenFile) -> Reading:
    reports: list[RangeReport] = []
    rows: list[tuple[int, bytes, bytes]] = []
    try:
        for work in ranges:
            for block in read_range(source, work, _with_words(open_file)):
                if isinstance(block, RangeReport):
                    reports.append(block)
                    continue
                own = range(len(block.tokens))
                rows += zip(block.positions(own), block.tokens, block.written(own), strict=True)
    except DataError as error:
        return Reading(rows, error)
    assert {len(vector) for _, _, vector in rows} <= {4 * source.layout.dim}
    return Reading(rows, judge(reports, source.layout, None, source.name).problem)


def _npy_files() -> list[bytes]:
    return [npy(_MATRIX), npy(_MATRIX.astype(">f2"), (2, 0)), npy(_MATRIX.astype("f8"), (3, 0))]


def _safetensors_files() -> list[bytes]:
    return [
        safetensors.numpy.save({"v": _MATRIX}),
        safetensors.numpy.save({"a": _MATRIX[0], "v": _MATRIX.astype("f2")}, {"made by": "x"}),
    ]


def _parquet_files() -> list[bytes]:
    return [
        parquet_bytes(_TABLE, row_group_size=3),
        parquet_bytes(_LISTS, compression="zstd", use_dictionary=False, row_group_size=5),
        parquet_bytes(_TABLE, compression="none", data_page_version="2.0", store_schema=False),
    ]


def _arrow_files(in_file: bool) -> list[bytes]:
    return [
        arrow_bytes(_TABLE, 3, in_file=in_file),
        # Not compressed: pyarrow takes the memory that such a buffer says it needs.
        arrow_bytes(_LISTS, 5, in_file=in_file),
    ]


def read_arrow(data: bytes, choices: Choices) -> None:
    """Reads an Arrow file or stream."""
    try:
        read_columnar(NAME, data, choices)
    except DataError as error:
        # pyarrow asks for the memory that a batch says it needs before it looks, and is refused.
        cause = None if isinstance(error.__cause__, pa.ArrowMemoryError) else error.__cause__
        raise error from cause


_ARRAY = partial(read_columnar, f"{NAME}?tokens={_WORDS}")

COLUMNAR_TARGETS = {
    "npy_vectors": Target(_ARRAY, _npy_files, repair=repair_npy),
    "npy_gzip_vectors": Target(
        _ARRAY, lambda: [gzip.compress(file, mtime=0) for file in _npy_files()], repair=repair_gzip
    ),
    "safetensors_vectors": Target(_ARRAY, _safetensors_files, mutate=mutate_safetensors),
    "vocabulary_of_array": Target(
        read_vocabulary_of_array, lambda: [_TEXT, _TEXT.replace(b"\n", b"\r\n")[:-2]]
    ),
    "parquet_vectors": Target(partial(read_columnar, NAME), _parquet_files, mutate=mutate_in_place),
    "arrow_vectors": Target(read_arrow, partial(_arrow_files, True), mutate=mutate_in_place),
    "arrow_stream_vectors": Target(
        read_arrow, partial(_arrow_files, False), mutate=mutate_in_place
    ),
}
