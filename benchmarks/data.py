"""Inputs of the benchmarks: made from a seed, of any size, and kept for the next time.

Their shape is that of the files people use: GloVe text with five decimals, word2vec binaries whose
floats have as few bits as those of GoogleNews, a corpus whose words are as unevenly frequent as
those of a language.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from isal import igzip

_SEED = 20260101
_BLOCK_ROWS = 2048
_LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
_FLOATS = 1 << 16
_DISTINCT_WORDS = 200_000

Indices = npt.NDArray[np.int64]


def word(rank: int) -> str:
    """The word of a rank: distinct for each, short for the first; some are not ASCII."""
    letters = []
    number = rank + 26 * 26
    while number:
        number, letter = divmod(number, 26)
        letters.append(_LETTERS[letter])
    ending = "é" if rank % 50 == 49 else ""
    return "".join(letters) + ending


def glove_text(folder: Path, rows: int, dim: int) -> Path:
    """A GloVe text file of so many rows; its words are in the order of their ranks."""
    return _made(folder / f"glove.{rows}x{dim}.txt", lambda file: _write_glove(file, rows, dim))


def word2vec_binary(folder: Path, rows: int, dim: int) -> Path:
    """A word2vec binary, without newlines between its records, as GoogleNews is."""
    return _made(folder / f"word2vec.{rows}x{dim}.bin", lambda file: _write_binary(file, rows, dim))


def packed(path: Path) -> Path:
    """The same file, packed by gzip."""
    return _made(path.with_name(f"{path.name}.gz"), lambda file: _pack(path, file))


def corpus_text(folder: Path, lines: int) -> Path:
    """A corpus of one text a line: 5 to 40 words, a third of them with capitals or commas."""
    return _made(folder / f"corpus.{lines}.txt", lambda file: _write_corpus(file, lines))


def labelled_corpus(folder: Path, lines: int) -> Path:
    """The same corpus in fastText's format, each line with one of two labels in front."""
    plain = corpus_text(folder, lines)

    def write(file: BinaryIO) -> None:
        with open(plain, "rb") as texts:
            file.writelines(b"__label__%d %b" % (at % 2, text) for at, text in enumerate(texts))

    return _made(folder / f"labelled.{lines}.txt", write)


def vocabulary(folder: Path, size: int, words: int) -> Path:
    """A vocabulary.txt of so many tokens, drawn evenly from the words of a vector file.

    One in ten is in no vector file.
    """
    ranks = np.linspace(0, words - 1, size - 2).astype(np.int64).tolist()
    tokens = (word(rank) if at % 10 else f"none{at}" for at, rank in enumerate(ranks))
    return _listed(folder / f"vocabulary.{size}of{words}.txt", tokens)


def vocabulary_of_first(folder: Path, words: int) -> Path:
    """A vocabulary.txt of the words of the first so many ranks, which are the most frequent."""
    return _listed(folder / f"vocabulary.first{words}.txt", _words(0, words))


def lines_of(folder: Path, vocabulary_text: Path, lines: int) -> Path:
    """A corpus of so many lines that holds each token of a vocabulary once."""

    def write(file: BinaryIO) -> None:
        tokens = vocabulary_text.read_text(encoding="utf-8").split()[2:]
        file.writelines(f"{' '.join(tokens[at::lines])}\n".encode() for at in range(lines))

    return _made(folder / f"lines.{lines}.{vocabulary_text.name}", write)


def _listed(path: Path, tokens: Iterable[str]) -> Path:
    text = "".join(f"{token}\n" for token in chain(("[PAD]", "[UNK]"), tokens))
    return _made(path, lambda file: file.write(text.encode()))


def _made(path: Path, write: Callable[[BinaryIO], Any]) -> Path:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        with open(partial, "wb") as file:
            write(file)
        os.replace(partial, path)
        print(f"made {path}, {path.stat().st_size / 1e6:,.1f} MB", flush=True)
    return path


def _words(start: int, stop: int) -> list[str]:
    return [word(rank) for rank in range(start, stop)]


def _blocks(rows: int) -> Iterator[tuple[int, int]]:
    for start in range(0, rows, _BLOCK_ROWS):
        yield start, min(start + _BLOCK_ROWS, rows)


def _joined(parts: Any, chosen: Indices) -> Any:
    """The bytes of chosen strings of an array, one behind the other."""
    taken = parts.take(pa.array(chosen.reshape(-1)))
    return taken.buffers()[2]


def _write_glove(file: BinaryIO, rows: int, dim: int) -> None:
    random = np.random.default_rng(_SEED)
    floats = [f" {value:.5f}" for value in random.normal(0, 0.4, _FLOATS)]
    for start, stop in _blocks(rows):
        n = stop - start
        parts = pa.array([*floats, *_words(start, stop), "\n"], pa.large_string())
        chosen = random.integers(0, _FLOATS, (n, dim + 2))
        chosen[:, 0] = np.arange(_FLOATS, _FLOATS + n)
        chosen[:, -1] = _FLOATS + n
        file.write(_joined(parts, chosen))


def _write_binary(file: BinaryIO, rows: int, dim: int) -> None:
    random = np.random.default_rng(_SEED)
    file.write(f"{rows} {dim}\n".encode())
    for start, stop in _blocks(rows):
        vectors = random.standard_normal((stop - start, dim), np.float32)
        # The floats of GoogleNews have the upper 16 bits of a single only.
        vectors.view(np.uint32)[:] &= np.uint32(0xFFFF0000)
        for token, vector in zip(_words(start, stop), vectors, strict=True):
            file.write(token.encode() + b" " + vector.tobytes())


def _pack(path: Path, file: BinaryIO) -> None:
    with open(path, "rb") as plain, igzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packing:
        while data := plain.read(1 << 22):
            packing.write(data)


def _write_corpus(file: BinaryIO, lines: int) -> None:
    random = np.random.default_rng(_SEED)
    plain = _words(0, _DISTINCT_WORDS)
    forms = [f"{token} " for token in plain]
    forms += [f"{token.capitalize()} " for token in plain]
    forms += [f"{token}, " for token in plain]
    parts = pa.array([*forms, "\n"], pa.large_string())
    # Zipf's law: how often a word comes is as the inverse of its rank.
    share = np.cumsum(1 / np.arange(1, _DISTINCT_WORDS + 1))
    share /= share[-1]
    for start in range(0, lines, _BLOCK_ROWS):
        words = random.integers(5, 41, min(_BLOCK_ROWS, lines - start))
        ends = np.cumsum(words + 1) - 1
        total = int(ends[-1]) + 1
        ranks = np.searchsorted(share, random.random(total))
        form = random.choice(3, total, p=(0.7, 0.2, 0.1))
        chosen = (ranks + form * _DISTINCT_WORDS).astype(np.int64)
        chosen[ends] = len(parts) - 1
        file.write(_joined(parts, chosen))
