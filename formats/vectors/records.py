"""Rows of a vector file as they were found, before any float of them is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]


class Records(NamedTuple):
    """Some whole rows of a vector file, within one piece of its bytes.

    The token of row i is ``data[starts[i] : token_ends[i]]``, and behind the one byte that ends
    it, its vector is written in ``data[token_ends[i] + 1 : ends[i]]``.

    Attributes:
        data: the bytes.
        offset: place of ``data[0]`` in the decompressed file.
        starts: int64 [rows], where each token starts, within ``data``.
        token_ends: int64 [rows], where each token ends.
        ends: int64 [rows], where each vector ends.
        stop: where the last row ends, with the newline that may end it.
    """

    data: bytes | bytearray
    offset: int
    starts: Indices
    token_ends: Indices
    ends: Indices
    stop: int

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.starts)

    @property
    def size(self) -> int:
        """Bytes of the rows."""
        return self.stop - int(self.starts[0]) if self.rows else 0

    @property
    def ends_with_newline(self) -> bool:
        """Whether a newline ends the last row."""
        return self.data[self.stop - 1 : self.stop] == b"\n"

    @property
    def tokens(self) -> list[bytes]:
        """The token of each row."""
        return self.tokens_of(range(self.rows))

    def tokens_of(self, rows: Sequence[int]) -> list[bytes]:
        """The tokens of some rows, by their indices."""
        chosen = np.asarray(rows, np.int64)
        data = self.data
        bounds = zip(self.starts[chosen].tolist(), self.token_ends[chosen].tolist(), strict=True)
        return [bytes(data[start:end]) for start, end in bounds]

    def positions(self, rows: Sequence[int]) -> list[int]:
        """Where some rows start in the file, by their indices."""
        return [self.offset + int(self.starts[row]) for row in rows]

    def written(self, rows: Sequence[int]) -> list[bytes]:
        """The vectors of some rows, as the file has them."""
        return [
            bytes(self.data[int(self.token_ends[row]) + 1 : int(self.ends[row])]) for row in rows
        ]

    def place(self, row: int) -> str:
        """What messages call the place of a row."""
        return f"byte {self.offset + int(self.starts[row])}"


class ArrayRows(NamedTuple):
    """Some consecutive rows of a source that keeps its tokens and its vectors apart.

    The vectors are not read until someone asks for them: most blocks of a large file hold no
    token that is wanted, and who looks at tokens alone needs none.

    Attributes:
        tokens: the token of each row.
        first_row: number of the first row in the file, counted from 0.
        read: gives the vectors of some of the rows, float32 [n, dim], by their ascending indices
            into ``tokens``. To be called once at most, before the next block is asked for; raises
            ``DataError`` where the file is damaged.
    """

    tokens: list[bytes]
    first_row: int
    read: Callable[[Indices], Singles]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.tokens)

    def tokens_of(self, rows: Sequence[int]) -> list[bytes]:
        """The tokens of some rows, by their indices."""
        return [self.tokens[row] for row in rows]

    def positions(self, rows: Sequence[int]) -> list[int]:
        """The numbers of some rows in the file, by their indices."""
        return [self.first_row + row for row in rows]

    def written(self, rows: Sequence[int]) -> list[bytes]:
        """The vectors of some rows, as the bytes of little-endian singles."""
        if not len(rows):
            return []
        vectors = self.read(np.asarray(rows, np.int64)).astype("<f4", copy=False)
        return [vector.tobytes() for vector in vectors]

    def place(self, row: int) -> str:
        """What messages call the place of a row."""
        return f"row {self.first_row + row + 1}"


RowBlock = Records | ArrayRows


def as_singles(values: npt.NDArray[Any]) -> Singles:
    """Floats as ``np.float32`` makes them: halves widen exactly, doubles go to the nearest."""
    # What is too large becomes infinite, and is rejected as such.
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32)


class RangeReport(NamedTuple):
    """What the reading of one byte range found, for the proof that no row was missed.

    A range's ``next`` must be the following range's ``first``, and the rows must add up to the
    header's count. Places are byte offsets in the decompressed file. For text they are where a
    row starts; for word2vec binary, the space (or the header's newline) before a row's token.

    Attributes:
        source: ordinal of the vector file among those of the job.
        attempt: 0 for the reading in parallel, 1 for the reading in order after a failed proof.
        start: the range's first byte.
        first: place of the first row that belongs to the range.
        next: place of the first row behind the range; the file's size behind the last row.
        rows: how many rows belong to the range.
        last_token: token of the file's last row, when it belongs to this range.
        ends_with_newline: whether the file's last row, when it belongs here, ends as a row does.
        problem: why the range could not be read, else empty.
        duplicates: wanted tokens that came again; counted here only where they are told apart
            while reading.
        found: rows that were passed on because they are, or may be, wanted.
    """

    source: int
    attempt: int
    start: int
    first: int
    next: int
    rows: int
    last_token: bytes = b""
    ends_with_newline: bool = True
    problem: str = ""
    duplicates: int = 0
    found: int = 0
