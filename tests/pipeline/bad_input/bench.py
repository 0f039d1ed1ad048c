"""A published dataset, and good inputs of which tests make bad ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

WORDS = [f"word{number}" for number in range(40)]
DIM = 4
VECTORS = np.linspace(-1, 1, len(WORDS) * DIM, dtype="<f4").reshape(-1, DIM)
ROWS = [
    f"{word} {' '.join(f'{number:.5f}' for number in row)}\n".encode()
    for word, row in zip(WORDS, VECTORS, strict=True)
]
TEXT = b"".join(ROWS)
CORPUS = "text\tlabel\n" + "".join(
    f"{word} {WORDS[-number]}\t{'pos' if number % 3 else 'neg'}\n"
    for number, word in enumerate(WORDS)
)
WORKERS = "--direct_num_workers=2"
PROCESSES = "--direct_running_mode=multi_processing"
# A slow machine may log one before the job fails.
PROGRESS = re.compile(r" *[0-9]+\.[0-9] s  [A-Za-z]+: ")


class Bench:
    """A published dataset, good inputs beside it, and a folder for the bad ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "dataset"
        self.corpus = folder / "corpus.tsv"
        self.corpus.write_text(CORPUS)
        self.vectors = folder / "vectors.txt"
        self.vectors.write_bytes(TEXT)

    def arguments(self, *flags: str) -> list[str]:
        """Good inputs, unless the flags name others."""
        given = {flag.partition("=")[0] for flag in flags}
        good = {
            "--corpus": self.corpus,
            "--vectors": self.vectors,
            "--output": self.output,
            # So that each row's word is wanted, whatever split the row is in.
            "--vocabulary_splits": "train,validation,test",
        }
        return ["build", *(f"{k}={v}" for k, v in good.items() if k not in given), *flags]

    def file(self, name: str, data: bytes | str) -> Path:
        path = self.folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def state(self) -> tuple[bytes, list[str]]:
        return (self.output / "manifest.json").read_bytes(), sorted(
            str(path.relative_to(self.output)) for path in self.output.rglob("*")
        )


Refused = Callable[..., str]
