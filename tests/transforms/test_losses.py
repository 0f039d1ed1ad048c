"""What an engine loses between two stages fails the job instead of being missing in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from formats.errors import DataError
from formats.vectors.source import VectorSource, open_source
from transforms.losses import demand_all
from transforms.prove_vectors import JoinCounts, JoinedSource, with_counts
from transforms.storage import open_file


@pytest.fixture
def source(tmp_path: Path) -> VectorSource:
    path = tmp_path / "vectors.txt"
    path.write_text("the 1 2\na 3 4\n")
    return open_source(0, str(path), path.stat().st_size, open_file)


def _judged(**counts: Any) -> list[JoinedSource]:
    return [JoinedSource(0, 1, 9, [], "", {}, **counts)]


def test_rows_of_the_reading_that_counts_must_all_have_come(source):
    counts = [JoinCounts(0, 0, 70, 70), JoinCounts(0, 1, 4, 3), JoinCounts(0, 1, 2, 5)]
    [joined] = with_counts(_judged(found=6), counts, [source], 0.0)
    assert joined.joined == 8
    for lost in ([], counts[:2]):
        with pytest.raises(DataError, match=r"vectors.txt: rows to be joined: expected 6, found"):
            with_counts(_judged(found=6), lost, [source], 0.0)


def test_as_many_are_enough_and_fewer_or_more_are_not():
    demand_all("examples of train", 5, 5)
    for arrived in (4, 6):
        with pytest.raises(DataError, match=f"examples of train: expected 5, found {arrived}"):
            demand_all("examples of train", 5, arrived)
