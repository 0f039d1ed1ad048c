"""Corpora: planned from their first bytes, then read in ranges and in blocks of any size."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq

from formats.corpus.plan import CorpusFile, plan_corpus
from formats.corpus.ranges import (
    AUTO,
    CSV,
    DIRECTORY,
    FASTTEXT,
    JSONL,
    PARQUET,
    TEXT,
    TSV,
    WHOLE_FILE,
    CorpusRange,
)
from formats.corpus.read import read_range
from formats.errors import DataError
from tests.fuzz.mutations import mutate_in_place
from tests.fuzz.repairs import repair_gzip
from tests.fuzz.target import NAME, Choices, Target, opener

_TEXT_COLUMNS = (None, "0", "name")
_LABEL_COLUMNS = (None, "", "1")
_WHOLE = 1 << 40


class _NoPool:
    """Does at once what threads would; starting them takes most of the time of a small file."""

    def __init__(self, threads: int) -> None:
        pass

    def __enter__(self) -> _NoPool:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    map = staticmethod(map)


def read_corpus(format: str, data: bytes, choices: Choices) -> None:
    """Reads a corpus in ranges and whole, whose rows and rejects must be the same."""
    text_column = _TEXT_COLUMNS[choices.bits % 3]
    label_column = _LABEL_COLUMNS[choices.bits // 3 % 3]

    def plan(range_bytes: int) -> list[CorpusRange]:
        with mock.patch("formats.corpus.plan.ThreadPoolExecutor", _NoPool):
            return plan_corpus(
                NAME,
                [CorpusFile(NAME, len(data))],
                format=format,
                text_column=text_column,
                label_column=label_column,
                split=-1,
                first_file=0,
                range_bytes=range_bytes,
                open_file=opener(data),
            ).ranges

    # Reading a small file in single bytes would only be slow.
    block_bytes = max(choices.most, len(data) // 64)
    cut = _read_all(plan(choices.range_bytes(len(data))), data, block_bytes)
    whole = _read_all(plan(_WHOLE), data, 4 << 20)
    if isinstance(whole, DataError):
        raise whole
    if isinstance(cut, DataError) and format == PARQUET:
        # Arrow notices some damage only where a batch ends.
        raise cut
    if format == PARQUET:
        # Arrow checks no page, so the values of a damaged one can be others in each reading.
        assert _places(cut) == _places(whole), (cut, whole)
    else:
        assert cut == whole, (cut, whole)


def _places(read: tuple[list[Any], list[Any]]) -> list[int]:
    """The offsets of all rows, good and bad."""
    return sorted(row["offset"] for rows in read for row in rows)


def read_class_folder(data: bytes, choices: Choices) -> None:
    work = CorpusRange(
        DIRECTORY, "text", "label", 0, -1, 0, False, [NAME] * 3, "aab", 0, 0, WHOLE_FILE, -1
    )
    _read_all([work], data, choices.most)


def _read_all(
    ranges: list[CorpusRange], data: bytes, block_bytes: int
) -> tuple[list[Any], list[Any]] | DataError:
    rows, rejects = [], []
    try:
        for work in ranges:
            for block in read_range(work, opener(data), block_bytes):
                block.rows.validate(full=True)
                block.rejects.validate(full=True)
                rows += block.rows.to_pylist()
                rejects += block.rejects.to_pylist()
    except DataError as error:
        return error
    return rows, rejects


def _text_files() -> list[bytes]:
    text = "Ein Text\nzwei 😀 Texte\r\n\n \nlast".encode()
    return [text, b"\xef\xbb\xbf" + text, b"bad \xff utf\na\0b\n" + text, gzip.compress(text)]


def _fasttext_files() -> list[bytes]:
    return [
        b"__label__a some words\n__label__b\nno label\nx __label__a y\n__label__a __label__b z\n"
    ]


def _csv_files() -> list[bytes]:
    return [
        b'text,label\n"a ""quoted"" text",x\n"two\nlines",y\r\n,\nshort\n',
        b'a text,x\nother,y\nwrong "quote,z\n"open"x,z\nlast,',
        b"name,1\na,b\r",
    ]


def _tsv_files() -> list[bytes]:
    return [
        b"label\ttext\nx\ta text\r\ny\t\n\nz\ta\tb\n",
        b"a text\tx\nother\ty\n",
        b"name\t1\na\tb",
    ]


def _jsonl_files() -> list[bytes]:
    return [
        b'{"text": "a", "label": "x"}\n{"text": "\\ud800", "label": 1}\n\n{"text": null}\n[1]\n'
        b'{"text": "b", "label": true, "more": [{"a": 1e5}]}\nno\n{"text": "c", "label": 1.5}\n',
        b'{"name": "n", "1": 3}\n{"name": "n", "1": [3]}\n',
    ]


def _parquet_files() -> list[bytes]:
    texts = ["a text", None, "another", " ", "a text"]
    tables = [
        pa.table({"text": texts, "label": ["x", "y", "x", None, "x"]}),
        pa.table({"text": pa.array(texts).dictionary_encode(), "label": [1, 2, 3, None, 5]}),
        pa.table({"text": pa.array(texts, pa.binary()), "label": [1.5, 2.0, None, 0.0, 1.0]}),
        pa.table(
            {"name": pa.array(texts, pa.large_string()), "1": [True, False, None, True, True]}
        ),
    ]
    written = [
        _parquet(table, compression=compression, use_dictionary=dictionary, **version)
        for table in tables
        for compression, dictionary, version in (
            ("none", False, {"store_schema": False}),
            ("snappy", True, {}),
        )
    ]
    return [
        *written,
        _parquet(tables[0], compression="gzip", data_page_version="2.0"),
        _parquet(tables[0], compression="none", use_dictionary=False, row_group_size=2,
                 column_encoding={"text": "DELTA_BYTE_ARRAY", "label": "DELTA_LENGTH_BYTE_ARRAY"}),
    ]  # fmt: skip


def _parquet(table: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def _all_files() -> list[bytes]:
    files = (_text_files, _fasttext_files, _csv_files, _jsonl_files, _parquet_files)
    return [make()[0] for make in files] + [gzip.compress(_jsonl_files()[0], mtime=0)]


def _target(format: str, seeds: Callable[[], list[bytes]], **more: Any) -> Target:
    return Target(partial(read_corpus, format), seeds, **more)


CORPUS_TARGETS = {
    "corpus_text": _target(TEXT, _text_files),
    "corpus_fasttext": _target(FASTTEXT, _fasttext_files),
    "corpus_csv": _target(CSV, _csv_files),
    "corpus_tsv": _target(TSV, _tsv_files),
    "corpus_jsonl": _target(JSONL, _jsonl_files),
    "corpus_parquet": _target(PARQUET, _parquet_files, mutate=mutate_in_place),
    "corpus_auto": _target(AUTO, _all_files, repair=repair_gzip),
    "corpus_directory": Target(read_class_folder, _text_files),
}
