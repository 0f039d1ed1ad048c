"""What one corpus file is, by its name and its first bytes."""

from __future__ import annotations

import itertools
from typing import Any, BinaryIO, NamedTuple

from formats.containers import OpenFile
from formats.corpus import csv, jsonl, parquet
from formats.corpus.fasttext import LABEL_PREFIX
from formats.corpus.lines import BOM, is_gzip, line_blocks, open_corpus_file
from formats.corpus.ranges import AUTO, CSV, FASTTEXT, JSONL, PARQUET, TEXT, TSV
from formats.errors import DataError, damaged

_BY_EXTENSION = {
    ".csv": CSV,
    ".tsv": TSV,
    ".jsonl": JSONL,
    ".ndjson": JSONL,
    ".parquet": PARQUET,
}
_BY_FIRST_BYTES = (
    (b"PAR1", PARQUET),
    (b"{", JSONL),
    (LABEL_PREFIX.encode(), FASTTEXT),
)
_UNREADABLE = (
    ((b"\xff\xfe", b"\xfe\xff"), "text in UTF-16", "save it as UTF-8"),
    ((b"PK\x03\x04",), "a zip archive", "unpack it"),
    ((b"BZh91AY&SY",), "a bzip2 file", "unpack it, or pack it with gzip"),
    ((b"\xfd7zXZ\x00",), "an xz file", "unpack it, or pack it with gzip"),
    ((b"\x28\xb5\x2f\xfd",), "a zstd file", "unpack it, or pack it with gzip"),
    ((b"version https://git-lfs",), "a Git LFS pointer", "run git lfs pull"),
)
_HEAD_BYTES = 64
_READ_BYTES = 64 << 10
_MAX_LINES_BEFORE_OBJECT = 100


class FileFacts(NamedTuple):
    """What was found out about a file.

    Attributes:
        uri: the file.
        format: its format.
        packed: whether it is gzip.
        empty: whether it has no rows, nor a header.
        columns: the fields of the first row of csv and tsv, the keys of the first object of
            jsonl, the names of the columns of parquet; else empty.
        schema: Arrow schema of a Parquet file, else None.
        row_group_bytes: sizes of the row groups of a Parquet file, else empty.
    """

    uri: str
    format: str
    packed: bool
    empty: bool
    columns: tuple[str, ...] = ()
    schema: Any = None
    row_group_bytes: tuple[int, ...] = ()


def inspect_file(uri: str, format: str, open_file: OpenFile) -> FileFacts:
    """Finds out what a file is; reads its head, and the footer of a Parquet file.

    Args:
        uri: the file.
        format: one of ``formats.corpus.ranges.FORMATS``, or ``auto``.
        open_file: opens the raw bytes of a URI.

    Raises:
        DataError: the file can't be read, or not as this format.
    """
    with open_file(uri) as stream:
        packed = is_gzip(stream.read(_HEAD_BYTES))
    with open_corpus_file(uri, open_file) as stream:
        head = stream.read(_HEAD_BYTES)
    for magics, found, remedy in _UNREADABLE:
        if head.startswith(magics):
            raise damaged(uri, "byte 0", expected="text in UTF-8", found=found, remedy=remedy)
    head = head.removeprefix(BOM)
    if format == AUTO:
        format = _guess_format(uri, head)
    facts = FileFacts(uri, format, packed, empty=not head)
    if format == PARQUET:
        return _inspect_parquet(facts, open_file)
    if facts.empty or format not in (CSV, TSV, JSONL):
        return facts
    with open_corpus_file(uri, open_file) as stream:
        return facts._replace(columns=tuple(_first_columns(stream, uri, format)))


def _guess_format(uri: str, head: bytes) -> str:
    name = uri.rpartition("/")[2].lower().removesuffix(".gz")
    for extension, format in _BY_EXTENSION.items():
        if name.endswith(extension):
            return format
    for magic, format in _BY_FIRST_BYTES:
        if head.startswith(magic):
            return format
    return TEXT


def _inspect_parquet(facts: FileFacts, open_file: OpenFile) -> FileFacts:
    with open_file(facts.uri) as stream:
        file = parquet.open_parquet(stream, facts.uri)
        groups = [file.metadata.row_group(group) for group in range(file.num_row_groups)]
        return facts._replace(
            empty=file.metadata.num_rows == 0,
            columns=tuple(file.schema_arrow.names),
            schema=file.schema_arrow,
            row_group_bytes=tuple(group.total_byte_size for group in groups),
        )


def _first_columns(stream: BinaryIO, uri: str, format: str) -> list[str]:
    if format == CSV:
        row = next(csv.read_rows(stream, uri, _READ_BYTES))
        if row.fields is None:
            raise damaged(
                uri,
                f"byte {row.offset}",
                expected="a first row with the names of the columns, or with fields",
                found=f"wrong quoting: {row.raw[:80]!r}",
                remedy="mend the row, or read the file as tsv or text if it has no quoting",
            )
        return [csv.to_bytes(field).decode(errors="replace") for field in row.fields]
    _, data = next(line_blocks(stream, uri, 0, -1, _READ_BYTES))
    lines = data.split(b"\n")
    if format == TSV:
        return lines[0].removesuffix(b"\r").decode(errors="replace").split("\t")
    return _keys_of_first_object(lines, uri)


def _keys_of_first_object(lines: list[bytes], uri: str) -> list[str]:
    for line in itertools.islice(lines, _MAX_LINES_BEFORE_OBJECT):
        try:
            found = jsonl.parse_object(line)
        except UnicodeDecodeError:
            continue
        if found is not None:
            return list(found)
    raise DataError(
        f"{uri}: expected a JSON object on each line, found {lines[0][:80]!r}; write each object "
        "on a line of its own, without a list around them"
    )
