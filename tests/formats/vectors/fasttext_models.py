"""fastText models as fastText writes them, field by field, and their vectors by plain Python."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from formats.vectors.fasttext_bin import (
    read_dictionary,
)
from formats.vectors.subwords import add_rows, mean_vectors, new_sums, plan_rows

MAGIC = 793712314


class Vectors(NamedTuple):
    matrix: Any
    counts: Any
    ids: dict[bytes, int]

    def of(self, words: Sequence[bytes]) -> dict[bytes, Any]:
        return dict(zip(words, self.matrix, strict=True))


def read_vectors(
    stream: BinaryIO,
    words: Sequence[bytes],
    *,
    cuts: Iterable[int] | None = None,
    order: int = 1,
    block_bytes: int = 1 << 20,
) -> Vectors:
    """Reads the vectors of words, in ranges of rows between some cuts, forwards or backwards."""
    dictionary = read_dictionary(stream, set(words), name="file")
    model = dictionary.model
    plan = plan_rows(model.head, words, dictionary.ids)
    bounds = [0, *sorted(cuts or ()), model.rows]
    parts = []
    for first, last in list(itertools.pairwise(bounds))[::order]:
        sums = new_sums(model, plan)
        add_rows(stream, model, plan, first, last, sums, name="file", block_bytes=block_bytes)
        parts.append(sums)
    return Vectors(mean_vectors(plan.counts, sum(parts)), plan.counts, dictionary.ids)


def read_model(data: bytes, words: Sequence[bytes], **options: Any) -> Vectors:
    return read_vectors(io.BytesIO(data), words, **options)


def vec_rows(data: bytes) -> dict[bytes, Any]:
    header, *rows = data.removesuffix(b"\n").split(b"\n")
    dim = int(header.split()[1])
    fields = [row.removesuffix(b" ").rsplit(b" ", dim) for row in rows]
    return {token: np.array(numbers, np.float64) for token, *numbers in fields}


def fnv1a(gram: bytes) -> int:
    """FNV-1a as fastText has it: a byte above 127 is a negative char, widened with its sign."""
    value = 2166136261
    for byte in gram:
        value ^= byte if byte < 128 else byte | 0xFFFFFF00
        value = value * 16777619 % 2**32
    return value


def ngrams(word: str, minn: int, maxn: int) -> list[bytes]:
    text = f"<{word}>"
    ends = (0, len(text) - 1)
    return [
        text[start : start + size].encode()
        for size in range(max(minn, 1), maxn + 1)
        for start in range(len(text) - size + 1)
        if size > 1 or start not in ends
    ]


class Sample(NamedTuple):
    """A model as it is written, field by field."""

    words: Sequence[bytes]
    matrix: Any
    labels: Sequence[bytes] = ()
    bucket: int = 0
    minn: int = 0
    maxn: int = 0
    loss: int = 2
    kind: int = 2
    version: int = 12
    pruned: int = -1
    quantised: int = 0

    def data(self, **changes: int) -> bytes:
        rows, dim = self.matrix.shape
        fields = {
            "dim": dim,
            "size": len(self.words) + len(self.labels),
            "words": len(self.words),
            "labels": len(self.labels),
            "rows": rows,
            "columns": dim,
            "output_rows": 2,
            "output_columns": dim,
            **changes,
        }
        new = self.version >= 11
        parts = [struct.pack("<2i", MAGIC, self.version) if new else b""]
        args = (fields["dim"], 5, 1, 1, 5, 1, self.loss, self.kind)
        parts.append(struct.pack("<12id", *args, self.bucket, self.minn, self.maxn, 100, 1e-4))
        parts.append(struct.pack("<3iq", fields["size"], fields["words"], fields["labels"], 99))
        parts.append(struct.pack("<q", self.pruned) if new else b"")
        for kind, names in enumerate([self.words, self.labels]):
            parts += [name + b"\0" + struct.pack("<qb", 7, kind) for name in names]
        parts += [struct.pack("<2i", index, index) for index in range(self.pruned)]
        parts.append(struct.pack("B", self.quantised) if new else b"")
        parts.append(struct.pack("<2q", fields["rows"], fields["columns"]))
        parts.append(self.matrix.astype("<f4").tobytes())
        parts.append(b"\0" if new else b"")
        parts.append(struct.pack("<2q", fields["output_rows"], fields["output_columns"]))
        parts.append(bytes(4 * 2 * dim))
        return b"".join(parts)


def sample(words: Sequence[bytes], *, bucket: int = 0, dim: int = 3, **fields: Any) -> Sample:
    random = np.random.default_rng(len(words) + bucket)
    matrix = random.normal(size=(len(words) + bucket, dim)).astype(np.float32)
    return Sample(words, matrix, bucket=bucket, **fields)


WORDS = [b"</s>", b"the", "né".encode(), "영화".encode()]
SMALL = sample(WORDS, bucket=7, minn=2, maxn=4, labels=[b"__label__a", b"__label__b"])


def expected_vector(model: Sample, word: str) -> Any:
    """The mean of a word's rows, row by row, in doubles."""
    names = list(model.words)
    rows = [names.index(word.encode())] if word.encode() in names else []
    if word != "</s>" or model.version < 11:
        rows += [
            len(names) + fnv1a(gram) % model.bucket for gram in ngrams(word, model.minn, model.maxn)
        ]
    return np.mean(model.matrix[rows].astype(np.float64), axis=0) if rows else np.zeros(3)


class OneWay(io.BufferedReader):
    """A stream without a way back, as decompressed streams are here."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation
