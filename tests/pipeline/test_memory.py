"""Memory is bounded by the vocabulary and some blocks, not by a vector file."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.data import glove_text, lines_of, vocabulary_of_first
from benchmarks.measure import family
from tests.formats.vectors.fasttext_models import Sample

ROWS, DIM, WORDS = 40_000, 300, 5_000
# Some 260 MB are used; a file that was kept would come on top.
BOUND_MB = 350

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peaks are read from /proc"
)


def _write_inputs(folder: Path) -> tuple[Path, Path]:
    draw = random.Random(0)
    vectors = [" ".join(f"{draw.gauss(0, 1):.5f}" for _ in range(DIM)) for _ in range(50)]
    path = folder / "vectors.txt"
    with open(path, "w") as file:
        file.writelines(f"w{row} {vectors[row % 50]}\n" for row in range(ROWS))
    corpus = folder / "corpus.txt"
    words = [f"w{row}" for row in draw.sample(range(ROWS), WORDS)]
    corpus.write_text("".join(f"{' '.join(words[i : i + 10])}\n" for i in range(0, WORDS, 10)))
    return corpus, path


def _peak_mb(process: int) -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    peak = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(peak[1]) * 1024 / 1e6 if peak else 0.0


def _peaks(repository: Path, *arguments: str) -> list[float]:
    """Runs a build; gives the peak of each of its processes, in MB."""
    build = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "build", *arguments],
        cwd=repository,
        stdout=subprocess.DEVNULL,
    )
    peaks: dict[int, float] = {}
    while build.poll() is None:
        for process in family(build.pid):
            peaks[process] = max(peaks.get(process, 0.0), _peak_mb(process))
        time.sleep(0.05)
    assert build.returncode == 0
    return list(peaks.values())


@needs_proc
@pytest.mark.parametrize(
    ("mode", "processes", "bound_mb"),
    # Two threads of one process use some 340 MB, where three processes use 260 MB each.
    [("in_memory", 1, BOUND_MB + 60), ("multi_processing", 3, BOUND_MB)],
)
def test_a_vector_file_of_100_mb_is_joined_in_bounded_memory(
    mode: str, processes: int, bound_mb: int, tmp_path: Path, repository: Path
) -> None:
    corpus, vectors = _write_inputs(tmp_path)
    assert vectors.stat().st_size > 90e6
    arguments = [f"--corpus=train={corpus}", f"--vectors={vectors}", f"--output={tmp_path / 'out'}"]
    flags = ("--direct_num_workers=2", f"--direct_running_mode={mode}")
    peaks = _peaks(repository, *arguments, *flags)
    assert len([peak for peak in peaks if peak > 100]) >= processes
    assert max(peaks) < bound_mb, peaks


@needs_proc
@pytest.mark.parametrize("format", ["npy", "parquet"])
def test_an_array_and_a_row_group_of_120_mb_are_joined_in_bounded_memory(
    format: str, tmp_path: Path, repository: Path
) -> None:
    corpus, vectors = tmp_path / "corpus.txt", tmp_path / f"vectors.{format}"
    corpus.write_text("".join(f"w{row} w{row + 50}\n" for row in range(0, 100_000, 100)))
    words = [f"w{row}" for row in range(100_000)]
    matrix = np.random.default_rng(0).normal(size=(100_000, DIM)).astype(np.float32)
    if format == "npy":
        (tmp_path / "vectors.txt").write_text("".join(f"{word}\n" for word in words))
        np.save(vectors, matrix)
    else:
        flat = pa.array(matrix.reshape(-1))
        table = pa.table({"word": words, "v": pa.FixedSizeListArray.from_arrays(flat, DIM)})
        pq.write_table(table, vectors, row_group_size=len(words), use_dictionary=False)
        del flat, table
    del matrix
    arguments = [f"--corpus=train={corpus}", f"--vectors={vectors}", f"--output={tmp_path / 'out'}"]
    peaks = _peaks(repository, *arguments)
    assert max(peaks) < BOUND_MB, peaks


@needs_proc
def test_a_fasttext_model_of_350_mb_is_joined_in_bounded_memory(
    tmp_path: Path, repository: Path
) -> None:
    corpus, model = tmp_path / "corpus.txt", tmp_path / "model.bin"
    corpus.write_text("".join(f"w{row} new{row}\n" for row in range(1000)))
    words = [b"w%d" % row for row in range(1000)]
    matrix = np.random.default_rng(0).normal(size=(291_000, DIM)).astype("<f4")
    written = Sample(words, matrix, bucket=290_000, minn=3, maxn=6)
    model.write_bytes(written.data())
    assert model.stat().st_size > 345e6
    del matrix, written
    arguments = [f"--corpus=train={corpus}", f"--vectors={model}", f"--output={tmp_path / 'out'}"]
    peaks = _peaks(repository, *arguments, "--oov=subword")
    # One process without the model, which would come on top.
    assert max(peaks) < BOUND_MB, peaks


@needs_proc
def test_a_vocabulary_of_a_million_tokens_is_joined_in_bounded_memory(
    tmp_path: Path, repository: Path
) -> None:
    tokens = 1_000_000
    corpus = lines_of(tmp_path, vocabulary_of_first(tmp_path, tokens), tokens // 20)
    vectors = glove_text(tmp_path, tokens, 8)
    arguments = [f"--corpus=train={corpus}", f"--vectors={vectors}", f"--output={tmp_path / 'out'}"]
    flags = ("--label_column=", "--join=shuffle")
    workers = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    # The first is the engine, which keeps what it groups.
    _, *peaks = _peaks(repository, *arguments, *flags, *workers)
    assert len([peak for peak in peaks if peak > 100]) == 2
    # Some 640 MB, and 80 bytes for each further token; with one bundle a worker it were 975 MB.
    assert max(peaks) < 800, peaks
