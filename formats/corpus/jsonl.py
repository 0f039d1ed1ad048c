"""JSON Lines: one JSON object a line, which holds the text and the label under their names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from formats.containers import OpenFile
from formats.corpus.lines import Lines, read_lines
from formats.corpus.ranges import CorpusRange
from formats.corpus.rows import BAD_JSON, BAD_UTF8, GOOD, NO_TEXT, Candidates, files_of


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


# Python would take NaN and Infinity.
_DECODER = json.JSONDecoder(parse_constant=_refuse)


def read(work: CorpusRange, open_file: OpenFile, block_bytes: int) -> Iterator[Candidates]:
    """Reads the lines of a range."""
    for lines in read_lines(work, open_file, block_bytes):
        yield _candidates(work, lines)


def parse_object(line: bytes) -> dict[str, Any] | None:
    """Parses one line; None if it is no JSON object.

    Raises:
        UnicodeDecodeError: the line is not UTF-8.
    """
    text = line.decode()
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _candidates(work: CorpusRange, lines: Lines) -> Candidates:
    count = len(lines.starts)
    rows = [_row(work, lines.raw(line)) for line in range(count)]
    reasons, texts, labels = zip(*rows, strict=True)
    return Candidates(
        texts=pa.array(texts, pa.binary()),
        labels=pa.array(labels, pa.binary()) if work.label_column else None,
        files=files_of(work, count),
        offsets=lines.offset + lines.starts,
        reasons=np.array(reasons, np.int8),
        raw=lines.raw,
        bytes_read=len(lines.data),
    )


def _row(work: CorpusRange, line: bytes) -> tuple[int, bytes | None, bytes | None]:
    """Reason, text and label of one line."""
    if not line.strip():
        return NO_TEXT, None, None
    try:
        found = parse_object(line)
    except UnicodeDecodeError:
        return BAD_UTF8, None, None
    if found is None:
        return BAD_JSON, None, None
    text, label = found.get(work.text_column), found.get(work.label_column)
    if isinstance(label, (list, dict)) and work.label_column:
        return BAD_JSON, None, None
    return GOOD, _bytes(text) if isinstance(text, str) else None, _bytes(_as_label(label))


def _as_label(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _bytes(text: str | None) -> bytes | None:
    """UTF-8; a lone surrogate, which JSON can escape, gives bytes that are no UTF-8."""
    return None if text is None else text.encode("utf-8", "surrogatepass")
