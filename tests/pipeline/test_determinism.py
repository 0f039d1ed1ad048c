"""The same inputs and flags give the same bytes, however the work is cut and whoever does it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formats.dataset.manifest import parse_manifest
from tests.pipeline.built import Dataset, build_dataset

TWO_THREADS = ("--direct_num_workers=2",)
TWO_PROCESSES = (*TWO_THREADS, "--direct_running_mode=multi_processing")

# Everything that is drawn, summed, cut or grouped.
JOBS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "several shards, normal": {
        "matrix_shards": 3,
        "example_shards": 2,
        "oov": ["normal"],
        "vector_tokens": 50,
        "min_count": 2,
    },
    "mean, parquet": {
        "matrix_shards": 2,
        "matrix_format": "parquet",
        "dtype": "float16",
        "oov": ["mean"],
        "max_tokens": 60,
        "shuffle_seed": 7,
        "compression": "none",
        "padding": "pre",
        "truncating": "pre",
        "max_length": 6,
    },
    "side by side": {
        "combine": "concat",
        "oov": ["mean", "normal"],
        "fallback": ["exact", "title"],
    },
}

_SYLLABLES = ["ba", "ko", "mi", "tu", "영", "화", "é", "ß", "x\u00a0y", "'s"]


class Inputs:
    """A corpus with some bad rows, and vectors as text and as binary that share tokens."""

    def __init__(self, folder: Path, rows: int, vectors: int, dim: int) -> None:
        draw = random.Random(rows)
        words = [f"{draw.choice(_SYLLABLES)}{draw.choice(_SYLLABLES)}{i}" for i in range(vectors)]
        weights = [1 / (rank + 1) for rank in range(vectors)]
        lines = ["text\tlabel"]
        for row in range(rows):
            text = " ".join(draw.choices(words, weights, k=draw.randint(1, 12)))
            lines.append(f"{text if row % 60 else ' '}\t{draw.choice(['pos', 'neg', 'so so'])}")
        self.corpus = folder / "corpus.tsv"
        self.corpus.write_text("\n".join(lines) + "\n", newline="\n")
        numbers = np.random.default_rng(rows).normal(size=(vectors, dim)).astype("<f4")
        # Each file lacks some words, and the text has one twice.
        text_rows = [i for i in range(vectors) if i % 3] + [1]
        self.text = folder / "vectors.txt"
        self.text.write_text(
            "".join(f"{words[i]} {' '.join(map('{:.6f}'.format, numbers[i]))}\n" for i in text_rows)
        )
        binary_rows = [i for i in range(vectors) if i % 5]
        self.binary = folder / "vectors.bin"
        self.binary.write_bytes(
            f"{len(binary_rows)} {dim}\n".encode()
            + b"".join(words[i].encode() + b" " + numbers[i].tobytes() for i in binary_rows)
        )

    def build(self, output: Path, beam: tuple[str, ...] = (), **flags: Any) -> Dataset:
        return build_dataset(
            output,
            self.corpus,
            [self.text, self.binary],
            beam,
            max_reject_fraction=(0.05, 0.0),
            **flags,
        )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """About 10 KiB a file."""
    return Inputs(tmp_path_factory.mktemp("small"), rows=180, vectors=140, dim=12)


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """More than 1 MiB of vectors as text, and 0.7 MiB as binary."""
    return Inputs(tmp_path_factory.mktemp("medium"), rows=4000, vectors=4000, dim=50)


def manifest_without_its_run(dataset: Dataset) -> Any:
    text = (dataset.output / "manifest.json").read_text()
    manifest = json.loads(text.replace(dataset.manifest.run_id, "RUN"))
    del manifest["created"]
    return manifest


def assert_same(one: Dataset, other: Dataset) -> None:
    assert one.files() == other.files()
    assert manifest_without_its_run(one) == manifest_without_its_run(other)


@pytest.mark.parametrize("job", JOBS)
def test_ranges_of_1_kib_change_no_byte(job: str, small: Inputs, tmp_path: Path) -> None:
    whole = small.build(tmp_path / "whole", **JOBS[job])
    assert whole.manifest.rejects.corpus == {"no text": 3}
    assert_same(whole, small.build(tmp_path / "cut", range_bytes=1 << 10, **JOBS[job]))


@pytest.mark.parametrize("job", JOBS)
def test_ranges_of_64_kib_and_1_mib_and_two_workers_change_no_byte(
    job: str, medium: Inputs, tmp_path: Path
) -> None:
    whole = medium.build(tmp_path / "whole", **JOBS[job])
    cut = {"range_bytes": 1 << 20, **JOBS[job]}
    assert_same(whole, medium.build(tmp_path / "cut", **cut))
    cut["range_bytes"] = 64 << 10
    assert_same(whole, medium.build(tmp_path / "threads", TWO_THREADS, **cut))
    assert_same(whole, medium.build(tmp_path / "processes", TWO_PROCESSES, **cut))


@pytest.mark.parametrize("job", JOBS)
def test_a_join_by_hash_and_counts_in_parts_change_no_byte(
    job: str, small: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags: dict[str, Any] = {"fallback": ["exact", "title", "strip_accents"], **JOBS[job]}
    whole = small.build(tmp_path / "whole", join="broadcast", **flags)
    monkeypatch.setattr("pipeline.job.parts_of_counts", lambda corpus_bytes: 7)
    parted = small.build(
        tmp_path / "parted", TWO_THREADS, join="shuffle", range_bytes=4 << 10, **flags
    )
    assert_same(whole, parted)


def test_two_workers_change_no_byte_of_ranges_written_in_order(
    medium: Inputs, tmp_path: Path
) -> None:
    flags: dict[str, Any] = {"shuffle_seed": None, "range_bytes": 32 << 10}
    one = medium.build(tmp_path / "one", **flags)
    assert len(one.shards("train")) > 2
    assert_same(one, medium.build(tmp_path / "threads", TWO_THREADS, **flags))
    assert_same(one, medium.build(tmp_path / "processes", TWO_PROCESSES, **flags))


def test_examples_in_order_do_not_depend_on_the_cuts_but_for_the_shards(
    small: Inputs, tmp_path: Path
) -> None:
    whole = small.build(tmp_path / "whole", shuffle_seed=None)
    cut = small.build(tmp_path / "cut", shuffle_seed=None, range_bytes=1 << 10)
    for split in ("train", "validation", "test"):
        assert len(whole.shards(split)) == 1 < len(cut.shards(split))
        assert whole.examples(split) == cut.examples(split)


def test_packed_vectors_give_the_bytes_of_plain_ones(small: Inputs, tmp_path: Path) -> None:
    plain = build_dataset(tmp_path / "plain", small.corpus, small.text, max_reject_fraction=(1, 0))
    packed = tmp_path / "vectors.txt.gz"
    packed.write_bytes(gzip.compress(small.text.read_bytes()))
    other = build_dataset(tmp_path / "packed", small.corpus, packed, max_reject_fraction=(1, 0))
    files, others = plain.files(), other.files()
    # It names the vector file.
    assert files.pop("vocabulary.parquet") != others.pop("vocabulary.parquet")
    assert files == others


def test_neither_the_hash_seed_nor_the_time_nor_the_place_change_a_byte(
    small: Inputs, tmp_path: Path
) -> None:
    here = small.build(tmp_path / "here", run_id="run-one", **JOBS["several shards, normal"])
    flags = [
        f"--{name}={','.join(value) if isinstance(value, list) else value}"
        for name, value in JOBS["several shards, normal"].items()
    ]
    created = {here.manifest.created}
    for seed, beam in (("1", ()), ("4711", TWO_PROCESSES)):
        output = tmp_path / "elsewhere" / seed
        arguments = [
            f"--corpus={small.corpus}",
            f"--vectors={small.text}",
            f"--vectors={small.binary}",
            f"--output={output}",
            "--max_reject_fraction=0.05",
        ]
        subprocess.run(
            [sys.executable, "-m", "pipeline", "build", *arguments, *flags, *beam],
            check=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": "Asia/Seoul", "LC_ALL": "C"},
            stdout=subprocess.DEVNULL,
        )
        manifest = parse_manifest((output / "manifest.json").read_bytes(), "manifest")
        created.add(manifest.created)
        assert_same(here, Dataset(output, manifest))
    assert len(created) == 3, "the runs were to be a second apart, as a file's time would tell"


# What a build of the rows below gives. A change here is a change of what users get from the same
# inputs: it needs an entry in the changelog. It may come with new rules for the vocabulary, the
# splits, the shuffle or the OOV rows; or with NumPy, if it draws other normal numbers from
# Philox (its compatibility policy, NEP 19, permits that). The manifest and vocabulary.parquet are
# left out, since they name the versions of the packages. First 40 digits of the SHA-256.
GOLDEN = {
    "embeddings-00000-of-00002.npy": "89019437b718394d61ea7862eeef9c3736e63b12",
    "embeddings-00001-of-00002.npy": "da04bc99973094b2338f36cd4990d040561ef86a",
    "rejects-00000-of-00001.jsonl": "902da0cbd09af6e22997b3d5707b7655432b4781",
    "test-00000-of-00001.tfrecord": "c8a7e3ce5abc31774d95b7f96bf31e6f4416d19f",
    "train-00000-of-00001.tfrecord": "6d131828a51fae65cf6203d8a09b39e66159973f",
    "validation-00000-of-00001.tfrecord": "3ad53737ce9133aad30474832a8ebfaab26f0858",
    "vocabulary.txt": "b1871157e30f7b695e76dd8d8305f044a4475192",
}
ROWS = [
    "text\tlabel",
    "A fine film!\tpos",
    "\tneg",
    "영화 정말 좋다\tpos",
    "a bad film\tneg",
    "So, so…\tpos",
    "the worst film of all\tneg",
    "Film\u00a0noir at its best\tpos",
    "영화\tneg",
    "worst\tneg",
]


def test_golden_bytes_of_a_tiny_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The rejects name the corpus by the path that was given.
    monkeypatch.chdir(tmp_path)
    Path("corpus.tsv").write_text("\n".join(ROWS), encoding="utf-8")
    Path("vectors.txt").write_text("film 1 -2e-3\n영화 0.1 3\nservice 5 6\n", encoding="utf-8")
    flags: dict[str, Any] = {
        "splits": {"train": 0.5, "validation": 0.25, "test": 0.25},
        "oov": ["normal"],
        "vector_tokens": 3,
        "matrix_shards": 2,
        "max_length": 4,
        "max_reject_fraction": (0.5, 0.0),
    }
    plain = build_dataset(Path("plain"), "corpus.tsv", "vectors.txt", compression="none", **flags)
    assert all(split.examples for split in plain.manifest.examples.splits.values())
    files = plain.files()
    del files["vocabulary.parquet"]
    assert {name: digest[:40] for name, digest in files.items()} == GOLDEN
    packed = build_dataset(Path("packed"), "corpus.tsv", "vectors.txt", **flags)
    # zlib may come to pack in other ways; what is packed stays.
    folder = Path("packed/runs") / packed.manifest.run_id
    for split in ("train", "validation", "test"):
        name = f"{split}-00000-of-00001.tfrecord"
        unpacked = gzip.decompress((folder / f"{name}.gz").read_bytes())
        assert hashlib.sha256(unpacked).hexdigest()[:40] == GOLDEN[name]
