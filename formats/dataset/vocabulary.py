"""The vocabulary's two files.

``vocabulary.txt`` is UTF-8, each token followed by 0x0A, its line number from 0 being its id.
Only 0x0A ends a line: tokens may hold U+0085, U+2028 or 0x0D. ``vocabulary.parquet`` has a row
for each id with the columns of ``VOCABULARY_TABLE``, or of ``CONCAT_TABLE``.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from formats.arrow_errors import ARROW_ERRORS
from formats.errors import DataError, damaged

PAD_TOKEN = "[PAD]"
UNK_TOKEN = "[UNK]"
PAD_ID = 0
OOV_ID = 1

# `count` is how often the token stands in the counted splits. `source` is the vector file that
# serves its row and `rule` the lookup rule that found it there; both null where none does.
VOCABULARY_TABLE = pa.schema(
    [
        pa.field("token", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("source", pa.string()),
        pa.field("rule", pa.string()),
        pa.field("matched", pa.bool_(), nullable=False),
    ]
)

# Where several vector files stand side by side, `source` and `rule` are those of the first that has
# the token, and `rules` has for each file, in their order, the rule that found it there, or null.
CONCAT_TABLE = VOCABULARY_TABLE.append(pa.field("rules", pa.list_(pa.string())))

# Rows that are written at a time; PyArrow's own default for a row group.
_ROW_GROUP = 1 << 20
_NOTHING, _NEWLINE = (pa.scalar(text, pa.large_string()) for text in ("", "\n"))

_REMEDY = "mend the file or build it again"


def write_vocabulary_text(tokens: Any) -> bytes:
    """The bytes of vocabulary.txt.

    Args:
        tokens: ``pa.StringArray`` in the order of the ids, [PAD] and [UNK] included.

    Raises:
        DataError: a token is empty or holds a newline, which a line can't hold.
    """
    unwritable = pc.or_(pc.equal(tokens, ""), pc.match_substring(tokens, "\n"))
    if pc.any(unwritable).as_py():
        row = pc.index(unwritable, True).as_py()
        raise DataError(
            f"vocabulary: id {row}: the token {tokens[row].as_py()!r} can't be a line of "
            "vocabulary.txt; use a --tokenizer that gives no empty tokens and no newlines"
        )
    return b"".join(
        _lines(tokens.slice(first, _ROW_GROUP)) for first in range(0, len(tokens), _ROW_GROUP)
    )


def _lines(tokens: Any) -> bytes:
    # The data of an array of strings is one string behind the other.
    lines = pc.binary_join_element_wise(tokens.cast(pa.large_string()), _NOTHING, _NEWLINE)
    _, _, text = lines.buffers()
    return bytes(text)


def read_vocabulary_text(data: bytes, name: str) -> Any:
    """Reads vocabulary.txt; the last newline may be missing.

    Args:
        data: the bytes of the file.
        name: what messages call the file.

    Returns:
        ``pa.StringArray`` of the tokens in the order of the ids.

    Raises:
        DataError: it is not UTF-8, does not begin with [PAD] and [UNK], or has an empty or a
            repeated token.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise damaged(
            name,
            f"line {line}, byte {error.start}",
            expected="UTF-8",
            found=repr(data[error.start : error.start + 4]),
            remedy="save it as UTF-8",
        ) from error
    lines = text.removesuffix("\n").split("\n")
    tokens = pa.array(lines, pa.string())
    for row, reserved in enumerate((PAD_TOKEN, UNK_TOKEN)):
        found = lines[row] if row < len(lines) else "the end of the file"
        if found != reserved:
            raise damaged(
                name, f"line {row + 1}", expected=reserved, found=repr(found), remedy=_REMEDY
            )
    _check_lines(tokens, lines, name)
    return tokens


def _check_lines(tokens: Any, lines: list[str], name: str) -> None:
    if pc.count_distinct(tokens).as_py() == len(lines) and "" not in lines:
        return
    first_line: dict[str, int] = {}
    for number, token in enumerate(lines, 1):
        earlier = first_line.setdefault(token, number)
        if not token or earlier != number:
            raise damaged(
                name,
                f"line {number}",
                expected="a token that no other line has" if token else "a token",
                found=f"{token!r} as in line {earlier}" if token else "an empty line",
                remedy=_REMEDY,
            )


def write_vocabulary_table(file: BinaryIO, table: Any) -> None:
    """Writes vocabulary.parquet.

    Args:
        file: writable binary file.
        table: ``pa.Table`` or ``pa.RecordBatch`` with the columns of ``VOCABULARY_TABLE`` or
            ``CONCAT_TABLE``; their strings may be encoded by dictionaries.
    """
    schema = _schema_of(table)
    sink = pa.BufferOutputStream()
    encoded = ["source", "rule", "rules.list.element"]
    with pq.ParquetWriter(sink, schema, compression="zstd", use_dictionary=encoded) as writer:
        for first in range(0, max(table.num_rows, 1), _ROW_GROUP):
            rows = table.slice(first, _ROW_GROUP)
            columns = [rows.column(field.name).cast(field.type) for field in schema]
            writer.write_table(pa.table(columns, schema=schema), _ROW_GROUP)
    file.write(sink.getvalue())


def read_vocabulary_table(file: BinaryIO, name: str) -> Any:
    """Reads vocabulary.parquet.

    Returns:
        ``pa.Table`` with the schema ``VOCABULARY_TABLE`` or ``CONCAT_TABLE``; the row number is
        the id.

    Raises:
        DataError: it is not Parquet, its columns are others, or a string is not UTF-8.
    """
    try:
        table = pq.read_table(file)
        # Arrow takes a file's word that its strings are UTF-8.
        table.validate(full=True)
        found = {field.name: field.type for field in table.schema}
    except ARROW_ERRORS as error:
        raise DataError(f"{name}: can't be read as Parquet: {error}; {_REMEDY}") from error
    schema = _schema_of(table)
    wanted = {field.name: field.type for field in schema}
    if found != wanted:
        raise damaged(name, "columns", expected=_columns(wanted), found=_columns(found),
                      remedy=_REMEDY)  # fmt: skip
    nulls = [
        field.name for field in schema if not field.nullable and table.column(field.name).null_count
    ]
    if nulls:
        raise damaged(name, f"column {nulls[0]}", expected="a value in every row", found="nulls",
                      remedy=_REMEDY)  # fmt: skip
    return table.select(list(wanted)).cast(schema).combine_chunks()


def _schema_of(table: Any) -> Any:
    return CONCAT_TABLE if "rules" in table.schema.names else VOCABULARY_TABLE


def _columns(types: dict[str, Any]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in types.items())
