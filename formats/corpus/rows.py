"""The rules that every row of a corpus must meet, whatever file it comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from formats.blocks import REJECTS, TEXT
from formats.corpus.ranges import CorpusBlock, CorpusRange

# Places in this list stand for the reasons while a block is read; the first means a good row.
REASONS = (
    "",
    "no text",
    "no label",
    "bad UTF-8",
    "wrong column count",
    "bad JSON",
    "several labels",
    "bad quoting",
)
GOOD, NO_TEXT, NO_LABEL, BAD_UTF8 = range(4)
WRONG_COLUMN_COUNT, BAD_JSON, SEVERAL_LABELS, BAD_QUOTING = range(4, 8)

_EXCERPT_CHARACTERS = 200
_MAX_CHARACTER_BYTES = 4

Reasons = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]


class Candidates(NamedTuple):
    """Rows as a file holds them, before the rules are applied.

    Attributes:
        texts: binary or string array; null where there is none.
        labels: the same, or None in a corpus without labels.
        files: int32 [rows], ordinals of the files.
        offsets: int64 [rows].
        reasons: int8 [rows], what is wrong with the form of each row, ``GOOD`` if nothing.
        raw: gives the bytes of a row, or as many of them as an excerpt needs.
        bytes_read: decompressed bytes that the rows were made of.
    """

    texts: Any
    labels: Any
    files: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    reasons: Reasons
    raw: Callable[[int], bytes]
    bytes_read: int


def files_of(work: CorpusRange, rows: int) -> npt.NDArray[np.int32]:
    """Ordinals of the files of rows that are all of the one file of a range."""
    return np.full(rows, work.first_file, np.int32)


def sift(work: CorpusRange, found: Candidates) -> CorpusBlock:
    """Parts the rows that can be used from those that can't.

    A row needs text that is not only white space and, in a corpus with labels, a label. Both
    must be UTF-8 without NUL, which only text in UTF-16 and binary files have.
    """
    reasons = found.reasons.copy()
    texts = _decode(found.texts, reasons)
    labels = pa.nulls(len(texts), pa.string())
    if found.labels is not None:
        labels = pc.utf8_trim_whitespace(_decode(found.labels, reasons))
    _mark(reasons, NO_TEXT, _blank(texts))
    if found.labels is not None:
        _mark(reasons, NO_LABEL, _blank(labels))
    rows = pa.record_batch(
        [
            texts,
            labels,
            pa.array(found.files),
            pa.array(found.offsets),
            pa.array(np.full(len(texts), work.split, np.int8)),
        ],
        schema=TEXT,
    )
    bad = np.flatnonzero(reasons)
    if len(bad):
        rows = rows.filter(pa.array(reasons == GOOD))
    return CorpusBlock(rows, _rejects(work, found, reasons, bad), found.bytes_read)


def _rejects(work: CorpusRange, found: Candidates, reasons: Reasons, bad: Any) -> Any:
    columns = [
        [work.uris[found.files[row] - work.first_file] for row in bad],
        found.offsets[bad],
        [REASONS[reasons[row]] for row in bad],
        [_excerpt(found.raw(row)) for row in bad],
    ]
    return pa.record_batch(
        [pa.array(column, field.type) for column, field in zip(columns, REJECTS, strict=True)],
        schema=REJECTS,
    )


def _excerpt(raw: bytes) -> str:
    head = raw[: _EXCERPT_CHARACTERS * _MAX_CHARACTER_BYTES]
    return head.decode(errors="replace")[:_EXCERPT_CHARACTERS]


def _mark(reasons: Reasons, reason: int, rows: Mask) -> None:
    """Gives rows a reason, unless they have one."""
    reasons[rows & (reasons == GOOD)] = reason


def _blank(strings: Any) -> Mask:
    blank = pc.or_(pc.equal(strings, ""), pc.utf8_is_space(strings))
    return np.asarray(blank.fill_null(True))


def _decode(values: Any, reasons: Reasons) -> Any:
    """Turns bytes into strings; those that can't be become empty and get their reason."""
    # Arrow checks bytes that are turned into strings, but not strings in a Parquet file.
    values = values.cast(pa.binary())
    if not _has_nul(values):
        try:
            return values.cast(pa.string())
        except pa.ArrowInvalid:
            pass
    bad = np.fromiter((not _is_text(value) for value in values.to_pylist()), bool, len(values))
    _mark(reasons, BAD_UTF8, bad)
    return pc.if_else(pa.array(bad), b"", values).cast(pa.string())


def _has_nul(values: Any) -> bool:
    data = values.buffers()[2]
    return data is not None and not np.frombuffer(data, np.uint8).all()


def _is_text(value: bytes | None) -> bool:
    if value is None:
        return True
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in value
