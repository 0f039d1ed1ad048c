"""What a vector file is, found from its first bytes and never from its name."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import NamedTuple

from formats.errors import DataError, damaged
from formats.vectors.keyed_vectors import is_pickle

# Enough for some rows of any file in use: 300 dimensions take about 3 KiB of text.
HEAD_BYTES = 1 << 20

TEXT, BINARY, FASTTEXT = "text", "binary", "fasttext"

_HEADER = re.compile(rb"([0-9]{1,18}) ([0-9]{1,9}) ?\r?")
_ROWS_TO_COMPARE = 100
# A record is held in memory whole, and a damaged header must not make all of the file one.
_MAX_BINARY_DIM = (1 << 16) - 1
# Rare in the tokens of a text file; the floats of a binary file soon hold one.
_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_CONVERT = "write it as text or word2vec binary, for instance with gensim's save_word2vec_format"
# What is often found under the name of a vector file, by its first bytes.
_KNOWN_STRANGERS = (
    (b"version https://git-lfs", "a Git LFS pointer", "fetch the real file with `git lfs pull`"),
    (b"\x89HDF", "an HDF5 file", _CONVERT),
    (b"FEA1", "a Feather file of version 1", "write it as version 2"),
    (b"%PDF", "a PDF", "download the vector file itself"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
    (b"BZh", "a bzip2 file", "unpack it first, or pack it as .gz"),
    (b"\xfd7zXZ", "an xz file", "unpack it first, or pack it as .gz"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it first, or pack it as .gz"),
    (
        b"\xef\xbb\xbf",
        "a byte order mark, which would become part of the first token",
        "save the file as UTF-8 without BOM",
    ),
    (b"\xff\xfe", "text in UTF-16", "save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16", "save it as UTF-8"),
)


class Layout(NamedTuple):
    """How the rows of a vector file lie in it.

    Attributes:
        kind: ``text``, ``binary`` or ``fasttext``.
        format: the name for people, such as ``GloVe text``.
        header_bytes: length of the header line with its newline; 0 without one.
        rows: the rows that the header counts; -1 without a header. For a fastText model the
            words of its dictionary.
        dim: dimensions of a vector.
    """

    kind: str
    format: str
    header_bytes: int
    rows: int
    dim: int


def find_layout(head: bytes, name: str) -> Layout:
    """Finds the layout of a vector file.

    Args:
        head: the first ``HEAD_BYTES`` of the file, or all of a smaller one; decompressed.
        name: what messages call the file.

    Raises:
        DataError: it is not a vector file that can be read; the message says what it is.
    """
    _refuse_strangers(head, name)
    lines = head.split(b"\n")
    if len(lines) > 1 and (len(head) >= HEAD_BYTES or not lines[-1]):
        lines.pop()
    header = _HEADER.fullmatch(lines[0])
    if header:
        return _layout_behind_header(head, len(lines[0]) + 1, int(header[1]), int(header[2]), name)
    dim = _text_dim(lines[:_ROWS_TO_COMPARE])
    if dim < 1:
        raise _not_a_vector_file(head, name)
    return Layout(TEXT, "GloVe text", 0, -1, dim)


def drop_line_end(line: bytes) -> bytes:
    """Drops the 0x0D and the space that some writers leave at the end of a row."""
    return line.removesuffix(b"\r").removesuffix(b" ")


def is_float(field: bytes) -> bool:
    """Whether a field of a text row is written as a number."""
    try:
        float(field)
    except ValueError:
        return False
    return b"_" not in field


def _layout_behind_header(head: bytes, header_bytes: int, rows: int, dim: int, name: str) -> Layout:
    body = head[header_bytes:]
    if not body or dim < 1:
        raise damaged(
            name,
            f"byte {header_bytes}",
            expected=f"{rows} rows of {dim} dimensions",
            found="a header of 0 dimensions" if body else "the end of the file",
            remedy="the file was cut off: get it again",
        )
    first_row = body.partition(b"\n")[0]
    fields = drop_line_end(first_row).split(b" ")
    if len(fields) > dim and all(map(is_float, fields[-dim:])):
        trailing_space = first_row.removesuffix(b"\r").endswith(b" ")
        style = "fastText .vec" if trailing_space else "word2vec text"
        return Layout(TEXT, style, header_bytes, rows, dim)
    if dim <= _MAX_BINARY_DIM and _CONTROL_BYTES.search(body, 0, 4096):
        return Layout(BINARY, "word2vec binary", header_bytes, rows, dim)
    if _trailing_floats(fields) == 1 and b"\n" in body:
        return Layout(TEXT, "GloVe text", 0, -1, 1)
    raise damaged(
        name,
        f"row 1, byte {header_bytes}",
        expected=f"a token and {dim} floats, as the header `{rows} {dim}` says",
        found=f"{len(fields)} fields: {body[:40]!r}",
        remedy="mend the header or get the file again",
    )


def _text_dim(lines: list[bytes]) -> int:
    """Dimensions of headerless text rows, 0 when they are not such rows.

    A token may hold spaces and a row may be damaged, so what most of the first rows end in
    tells. Rows of one integer each are a list of word counts, such as GloVe's vocab.txt.
    """
    rows = [drop_line_end(line).split(b" ") for line in lines]
    dim = Counter(map(_trailing_floats, rows)).most_common(1)[0][0]
    if dim == 1 and all(row[-1].isdigit() for row in rows):
        return 0
    return dim


def _trailing_floats(fields: list[bytes]) -> int:
    numbers = itertools.takewhile(is_float, reversed(fields[1:]))
    return sum(1 for _ in numbers)


def _refuse_strangers(head: bytes, name: str) -> None:
    if not head:
        raise damaged(
            name, "byte 0", expected="a vector file", found="0 bytes", remedy="get it again"
        )
    if is_pickle(head):
        raise DataError(
            f"{name}: a Python pickle, as gensim's save() writes it; loading one runs the code "
            "that its maker put in, so it is done only with --allow_pickle; if you trust it, "
            "better convert it once: KeyedVectors.load(FILE).save_word2vec_format(OUTPUT, "
            "binary=True)"
        )
    start = head.lstrip()[:512].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise DataError(
            f"{name}: byte 0: expected a vector file, found an HTML page; the link did not lead "
            "to the file itself: download it again"
        )
    if start.startswith(b"{"):
        kind = "a Jupyter notebook" if b'"cells"' in head[:4096] else "JSON"
        raise DataError(f"{name}: byte 0: expected a vector file, found {kind}; {_CONVERT}")
    for magic, what, remedy in _KNOWN_STRANGERS:
        if head.startswith(magic):
            raise DataError(f"{name}: byte 0: expected a vector file, found {what}; {remedy}")


def _not_a_vector_file(head: bytes, name: str) -> DataError:
    if b"\0" in head[:4096]:
        return DataError(
            f"{name}: byte 0: expected a vector file, found binary data without a header; if it "
            "is GloVe's vectors.bin, it holds doubles and no words: use vectors.txt instead"
        )
    return damaged(
        name,
        "row 1, byte 0",
        expected="a token and its floats, separated by single spaces",
        found=repr(head[:60]),
        remedy="this is no vector file of a format that can be read",
    )
