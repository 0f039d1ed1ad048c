"""A corpus and vector files of every packing, and the dataset that a local build makes of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.stores.fetch import packages

ROOT = Path(__file__).parents[2]
DIM = 8
RUN = "r1"
# Each file has words that no earlier one has, so the matrix shows that all were read.
VECTORS = ["glove.txt", "google.bin", "more.txt.gz", "packed.zip#b.txt"]
RANGE_BYTES = 32 << 10


def write_sample(folder: Path) -> None:
    """Writes the corpus and the vector files."""
    draw = np.random.default_rng(0)
    words = [f"word{number}" for number in range(3000)]
    (folder / "corpus").mkdir(parents=True)
    for name in ("a.tsv", "b.tsv"):
        rows = [
            " ".join(draw.choice(words, 20)) + f"\t{draw.choice(['neg', 'pos'])}\n"
            for _ in range(600)
        ]
        (folder / "corpus" / name).write_text("text\tlabel\n" + "".join(rows))
    vectors = draw.standard_normal((len(words), DIM)).astype(np.float32)
    files = [_text(words[first:last], vectors[first:last]) for first, last in _pieces(len(words))]
    (folder / "glove.txt").write_bytes(files[0])
    (folder / "google.bin").write_bytes(_binary(words[600:1400], vectors[600:1400]))
    (folder / "more.txt.gz").write_bytes(gzip.compress(files[2]))
    with zipfile.ZipFile(folder / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", files[1])
        archive.writestr("b.txt", files[3])


def _pieces(number: int) -> list[tuple[int, int]]:
    return [(0, 800), (600, 1400), (1200, 2200), (2000, number - 100)]


def _text(words: Sequence[str], vectors: Any) -> bytes:
    rows = (" ".join([word, *map(str, row)]) for word, row in zip(words, vectors, strict=True))
    return ("\n".join(rows) + "\n").encode()


def _binary(words: Sequence[str], vectors: Any) -> bytes:
    out = io.BytesIO()
    out.write(f"{len(words)} {DIM}\n".encode())
    for word, row in zip(words, vectors, strict=True):
        out.write(f"{word} ".encode() + row.tobytes() + b"\n")
    return out.getvalue()


def environment(extra: str | None, *, also: Path | None = None, **variables: str) -> dict[str, str]:
    """Of a process that has the packages of an extra of embprep, and nothing of this machine's.

    Args:
        extra: one of ``fetch.PACKAGES``; None for none.
        also: a folder with a module that the test wrote.
        variables: of the environment.
    """
    paths = [str(ROOT), str(also or ""), os.environ.get("PYTHONPATH", "")]
    if extra:
        paths.insert(0, str(packages(extra)))
    own = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "GOOGLE_"))}
    return {
        **own,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        # What there is on this machine of its user's is not for tests.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_GCE_CHECK": "true",
        **variables,
    }


def run(
    *command: str, env: Mapping[str, str], fails: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs a module of Python, which must end well unless told otherwise."""
    done = subprocess.run(
        [sys.executable, "-m", *command], env=env, cwd=ROOT, capture_output=True, text=True
    )
    assert fails or done.returncode == 0, done.stderr
    return done


def config(inputs: str, output: str, **flags: Any) -> str:
    """The build of the sample, its input cut into small ranges, for ``run_build``."""
    given = {
        "corpus": [f"{inputs}/corpus/*.tsv"],
        "vectors": [f"{inputs}/{name}" for name in VECTORS],
        "output": output,
        "run_id": RUN,
        "range_bytes": RANGE_BYTES,
        "matrix_shards": 2,
        "max_length": 16,
    }
    return json.dumps(given | flags)


def flags(inputs: str, output: str) -> list[str]:
    """The same build, its input not cut, as flags of ``embprep build``."""
    return [
        f"--corpus={inputs}/corpus/*.tsv",
        *(f"--vectors={inputs}/{name}" for name in VECTORS),
        f"--output={output}",
        f"--run_id={RUN}",
        "--matrix_shards=2",
        "--max_length=16",
    ]


def hashes(dataset: Path) -> dict[str, str]:
    """Hashes of the files of the run that a dataset on this machine has, but for the manifest."""
    folder = dataset / "runs" / RUN
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != "manifest.json"
    }
