"""Rules of the examples and of the rejects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from formats.dataset import paths
from pipeline import verify as verify_module
from tests.pipeline.small_dataset import RUN
from tests.pipeline.verified import REJECTS, TRAIN, assignment, problems_of


def rows_with(row: int, column: int, value: int) -> Callable[[Any, Any], None]:
    def change(rows: Any, lengths: Any) -> None:
        if column < 0:
            lengths[row] = value
        else:
            rows[row, column] = value

    return change


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"change_rows": rows_with(4, 0, 7)}, "record 2: a token id out of range, 0 to 6"),
        ({"change_rows": rows_with(4, 0, 0)}, "record 2: padding that does not fit the length"),
        ({"change_rows": rows_with(2, -1, 3)}, "record 1: padding that does not fit the length"),
        ({"change_rows": rows_with(4, 3, 1)}, "record 2: padding that does not fit the length"),
        (
            {"change_rows": rows_with(4, 0, 2), "padding": "pre"},
            "record 2: padding that does not fit the length",
        ),
        ({"change_rows": rows_with(2, -1, 5)}, "record 1: a length out of range, 0 to 4"),
        ({"labels": [0, 1, 2, 0, 1]}, "record 1: a label out of range, 0 to 1"),
    ],
)
def test_a_wrong_example_is_reported_once(
    compression: str,
    parts: dict[str, Any],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So that the second record is in a second block.
    monkeypatch.setattr(verify_module, "_BLOCK_IDS", 4)
    path = paths.example_shard_path(RUN, "train", 0, 2, compression)
    found = problems_of(tmp_path, compression=compression, **parts)
    assert found == [f"{path}: {problem}"]


def test_examples_that_lack_the_label_are_reported(tmp_path: Path) -> None:
    def add_label(values: dict[str, Any]) -> None:
        values["examples"]["features"]["label"] = {"dtype": "int64", "shape": []}
        values["labels"] = ["neg", "pos"]

    found = problems_of(tmp_path, labels=None, change_manifest=add_label)
    assert len(found) == 3
    assert found[0].startswith(f"{TRAIN}: record 0: expected int64 label [1], length [1], token")


def test_labels_without_labelled_examples_are_reported(tmp_path: Path) -> None:
    found = problems_of(tmp_path, labels=None, change_manifest=assignment("labels", value=["neg"]))
    assert found == ["manifest.json: labels, whether there are any: expected False, found True"]


def test_unsorted_rejects_are_reported(tmp_path: Path) -> None:
    def reverse(path: str, data: bytes) -> bytes:
        return b"".join(reversed(data.splitlines(True))) if path == REJECTS else data

    assert problems_of(tmp_path, change_bytes=reverse) == [
        f"{REJECTS}: line 2: not sorted by file and offset"
    ]
