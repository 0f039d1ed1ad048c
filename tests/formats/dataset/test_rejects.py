from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pytest

from formats.blocks import REJECTS
from formats.dataset.rejects import Reject, read_rejects, write_rejects
from formats.errors import DataError

ROWS = [
    Reject("a.tsv", 9, "no text", "\t"),
    Reject("a.tsv", 10, "no label", '말 "x"\n\x85'),
    Reject("b.tsv", 0, "bad UTF-8", "\ufffd"),
]
GOLDEN = (
    '{"file": "a.tsv", "offset": 9, "reason": "no text", "excerpt": "\\t"}\n'
    '{"file": "a.tsv", "offset": 10, "reason": "no label", "excerpt": "말 \\"x\\"\\n\x85"}\n'
    '{"file": "b.tsv", "offset": 0, "reason": "bad UTF-8", "excerpt": "\ufffd"}\n'
).encode()


def batch(rows: list[Reject]) -> Any:
    return pa.RecordBatch.from_pylist([row._asdict() for row in rows], schema=REJECTS)


def test_golden_bytes_sorted_by_file_and_offset() -> None:
    assert write_rejects(batch(ROWS)) == GOLDEN
    assert write_rejects(batch(ROWS[::-1])) == GOLDEN
    assert write_rejects(pa.Table.from_batches([batch(ROWS[2:]), batch(ROWS[:2])])) == GOLDEN


def test_rejects_come_back() -> None:
    assert list(read_rejects(io.BytesIO(GOLDEN), "r")) == ROWS


def test_no_rejects_are_an_empty_file() -> None:
    assert write_rejects(batch([])) == b""
    assert list(read_rejects(io.BytesIO(b""), "r")) == []


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{\n",
        b"[]\n",
        b"3\n",
        b"\xff\n",
        b'{"file": "a", "offset": 1, "reason": "x"}\n',
        b'{"file": "a", "offset": "1", "reason": "x", "excerpt": ""}\n',
    ],
)
def test_another_line_is_named(line: bytes) -> None:
    with pytest.raises(DataError, match="^rejects.jsonl: line 4: expected an object with file"):
        list(read_rejects(io.BytesIO(GOLDEN + line), "rejects.jsonl"))
