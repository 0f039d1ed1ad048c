"""A damaged vector file is named, with the place of the damage."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.bad_input.bench import DIM, PROCESSES, WORKERS, Bench, Refused
from tests.pipeline.bad_input.damaged_vectors import DAMAGED


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_vector_file_is_named_with_the_place(
    damage: str, bench: Bench, refused: Refused
) -> None:
    name, data, said = DAMAGED[damage]
    path = bench.file(name, data)
    line = refused(1, f"--vectors={path}")
    assert line.startswith(f"{path}: ")
    assert re.match(said, line.removeprefix(f"{path}: ")), line


@pytest.mark.parametrize(
    ("damage", "flags"),
    [
        ("text cut in a float", ()),
        ("binary with a header that counts too many", ()),
        ("a row that is wanted and not finite", ("--shuffle_seed=none",)),
    ],
)
def test_the_error_of_a_worker_process_is_one_line_too(
    damage: str, flags: tuple[str, ...], bench: Bench, refused: Refused
) -> None:
    name, data, _ = DAMAGED[damage]
    path = bench.file(name, data)
    alone = refused(1, f"--vectors={path}", *flags)
    assert refused(1, f"--vectors={path}", *flags, WORKERS) == alone
    assert refused(1, f"--vectors={path}", *flags, WORKERS, PROCESSES) == alone


def test_a_gzip_that_is_cut_far_behind_its_head(bench: Bench, refused: Refused) -> None:
    rng = np.random.default_rng(0)
    rows = [f"w{i} {' '.join(map(str, row))}\n" for i, row in enumerate(rng.random((40000, DIM)))]
    packed = gzip.compress("".join(rows).encode(), 1)
    path = bench.file("long.gz", packed[: len(packed) * 3 // 4])
    line = refused(1, f"--vectors={path}")
    assert line.startswith(f"{path}: decompressed byte ")
    assert int(line.split("decompressed byte ")[1].partition(":")[0]) >= 1 << 20


def test_real_files_that_are_no_vectors(shared_data: Path, refused: Refused) -> None:
    for name, said in (
        ("glove.6B.truncated-download.zip", "end of file: expected a zip archive's central"),
        ("lid.176.ftz", "a quantised fastText model (.ftz)"),
    ):
        path = shared_data / "vectors" / name
        assert refused(1, f"--vectors={path}").startswith(f"{path}: {said}")
