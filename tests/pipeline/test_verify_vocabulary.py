"""Rules of the two files of a vocabulary."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.pipeline.small_dataset import Parts
from tests.pipeline.verified import TABLE, VOCABULARY, problems_of


def with_column(column: str, **by_id: Any) -> Any:
    table = Parts().table
    values = table.column(column).to_pylist()
    for row, value in by_id.items():
        values[int(row[2:])] = value
    place = table.schema.get_field_index(column)
    return table.set_column(place, table.schema.field(column), pa.array(values))


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"table": with_column("count", id4=6)}, "id 4: expected order by falling count, then by"),
        (
            {"table": with_column("token", id3="영화", id4="film")},
            "id 4: expected order .* 'film' behind '영화'",
        ),
        ({"table": with_column("count", id6=1)}, "id 6: counted 1 times, less than min_count"),
        ({"table": with_column("count", id6=-1)}, "id 6: a negative count"),
        ({"table": with_column("count", id1=3)}, r"\[PAD\] or \[UNK\] has a count or a vector"),
        ({"table": with_column("source", id3="ko.bin")}, "id 3: source and matched contradict"),
        ({"table": with_column("rule", id2=None)}, "id 2: rule and matched contradict"),
        ({"config": {"max_tokens": 6}}, "vocabulary size 7 is more than max_tokens, 6, allows"),
    ],
)  # fmt: skip
def test_a_wrong_vocabulary_is_reported(
    parts: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    found = problems_of(tmp_path, **parts)
    assert any(re.match(f"{TABLE}: {problem}", line) for line in found), found


@pytest.mark.parametrize(
    "parts",
    [
        {"table": with_column("count", id5=0, id6=9), "config": {"vector_tokens": 2}},
        {"table": with_column("count", id5=0, id6=9), "config": {"vocabulary": "given.txt"}},
        {"config": {"max_tokens": 6, "vector_tokens": 1}},
    ],
)
def test_tokens_of_vector_files_and_a_given_vocabulary_have_their_own_order(
    parts: dict[str, Any], tmp_path: Path
) -> None:
    assert problems_of(tmp_path, **parts) == []


def test_the_two_files_of_the_vocabulary_must_agree(tmp_path: Path) -> None:
    tokens = ["[PAD]", "[UNK]", "the", "film", "영화", "a\x85b", "other"]
    assert problems_of(tmp_path, tokens=tokens) == [
        f"{TABLE}: its tokens are not those of {VOCABULARY}"
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"film", b"the", "line 4: expected a token that no other line has, found 'the'"),
        (b"film", b"", "line 4: expected a token, found an empty line"),
        (b"film", b"\xff", "line 4, byte 16: expected UTF-8"),
        (b"[PAD]", b"[CLS]", "line 1: expected [PAD], found '[CLS]'"),
        (b"[UNK]", b"<unk>", "line 2: expected [UNK], found '<unk>'"),
    ],
)
def test_a_wrong_line_of_the_vocabulary_is_reported(
    old: bytes, new: bytes, problem: str, tmp_path: Path
) -> None:
    def change(path: str, data: bytes) -> bytes:
        return data.replace(old, new) if path == VOCABULARY else data

    [found] = problems_of(tmp_path, change_bytes=change)
    assert found.startswith(f"{VOCABULARY}: {problem}")
