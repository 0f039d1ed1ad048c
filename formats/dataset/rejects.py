"""rejects-*.jsonl: the rows that could not be used.

UTF-8, one JSON object a line with the keys ``file``, ``offset``, ``reason`` and ``excerpt`` of
``formats.blocks.REJECTS``, sorted by them in that order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import pyarrow.compute as pc

from formats.errors import DataError, damaged


class Reject(NamedTuple):
    """A row that could not be used."""

    file: str
    offset: int
    reason: str
    excerpt: str


def write_rejects(rejects: Any) -> bytes:
    """The bytes of rejects-*.jsonl.

    Args:
        rejects: ``pa.Table`` or ``pa.RecordBatch`` of ``formats.blocks.REJECTS``, in any order.
    """
    order = pc.sort_indices(rejects, sort_keys=[(name, "ascending") for name in Reject._fields])
    lines = (json.dumps(row, ensure_ascii=False) for row in rejects.take(order).to_pylist())
    return "".join(f"{line}\n" for line in lines).encode()


def read_rejects(file: BinaryIO, name: str) -> Iterator[Reject]:
    """Yields the rows of rejects-*.jsonl.

    Raises:
        DataError: a line is not such an object.
    """
    for number, line in enumerate(file, 1):
        try:
            row = json.loads(line)
            fields = tuple(row[key] for key in Reject._fields)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _wrong(name, number, f"{type(error).__name__}: {error}") from error
        if [type(field) for field in fields] != [str, int, str, str]:
            raise _wrong(name, number, "a value of another type")
        yield Reject(*fields)


def _wrong(name: str, line: int, found: str) -> DataError:
    return damaged(
        name,
        f"line {line}",
        expected=f"an object with {', '.join(Reject._fields)}",
        found=found,
        remedy="build the dataset again",
    )
