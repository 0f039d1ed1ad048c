"""A corpus and a vector file of a few rows, for builds that show what a flag does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.verify import verify_dataset
from tests.pipeline.built import Dataset, build_dataset

# Counts: the 4, film 3, a 2, fun 2, then once each bad, dull, twice.
TRAIN = [
    ("The film, the fun!", "pos"),
    ("a film the", "neg"),
    ("the bad film a fun", "neg"),
    ("Dull twice", "neg"),
]
TEST = [("film unseen bad", "pos"), ("unseen", "neg")]

VECTORS = """\
the 1 2
service 3 4
film 5 6
unseen 0.1 -1e-3
bad 7 8
film 9 9
"""


class Corpus:
    def __init__(self, folder: Path) -> None:
        self.train = write_tsv(folder / "train.tsv", TRAIN)
        self.test = write_tsv(folder / "test.tsv", TEST)
        self.vectors = folder / "vectors.txt"
        self.vectors.write_text(VECTORS)

    def build(self, output: Path, **flags: Any) -> Dataset:
        """The first rows train, the others test; what comes out is verified."""
        flags = {
            "corpus": [f"train={self.train}", f"test={self.test}"],
            "vectors": self.vectors,
            "max_length": 5,
        } | flags
        dataset = build_dataset(output, **flags)
        assert verify_dataset(str(output)) == []
        return dataset


def write_tsv(path: Path, rows: list[tuple[str, str]]) -> Path:
    lines = ["text\tlabel", *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
