"""Pieces of work on a corpus, and the blocks that come out of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

TEXT, FASTTEXT, CSV, TSV = "text", "fasttext", "csv", "tsv"
JSONL, PARQUET, DIRECTORY = "jsonl", "parquet", "directory"
FORMATS = (TEXT, FASTTEXT, CSV, TSV, JSONL, PARQUET, DIRECTORY)
AUTO = "auto"

WHOLE_FILE = -1
NO_COLUMN = -1


class CorpusRange(NamedTuple):
    """One piece of work: some rows of one file, or some small files.

    Attributes:
        format: one of ``FORMATS``.
        text_column: name of the text in jsonl and parquet.
        label_column: name of the label; empty in a corpus without labels, whatever its format.
        text_index: place of the text among the columns of csv and tsv, from 0.
        label_index: place of the label there, or ``NO_COLUMN``.
        columns: number of columns that each row of csv and tsv must have.
        header: whether the first line of csv and tsv names the columns.
        uris: the file; several in the ``directory`` format only.
        labels: class of each of ``uris`` in the ``directory`` format, else empty.
        first_file: ordinal of ``uris[0]`` among all corpus files of the job; the others follow.
        start: first byte of the range; first row group in parquet.
        stop: first byte or row group behind the range, or ``WHOLE_FILE``.
        split: index into ``formats.blocks.SPLITS``, or ``formats.blocks.UNASSIGNED_SPLIT``.
    """

    format: str
    text_column: str
    label_column: str
    text_index: int
    label_index: int
    columns: int
    header: bool
    uris: Sequence[str]
    labels: Sequence[str]
    first_file: int
    start: int
    stop: int
    split: int


class CorpusBlock(NamedTuple):
    """Some rows of a range, a few MiB.

    Attributes:
        rows: record batch of ``formats.blocks.TEXT``.
        rejects: record batch of ``formats.blocks.REJECTS``.
        bytes_read: decompressed bytes that the rows and rejects were made of.
    """

    rows: Any
    rejects: Any
    bytes_read: int
