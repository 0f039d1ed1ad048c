"""Vectors of words as fastText makes them: the mean of a word's own row and its n-grams' rows.

Which rows (``Dictionary::computeSubwords`` in fastText's dictionary.cc): the n-grams of
``<word>``, from minn to maxn characters of UTF-8, but for the lone ``<`` and ``>``; each has the
row of its bucket, FNV-1a of 32 bits over its bytes taken as signed chars, modulo the number of
buckets. A word of the dictionary has a row of its own besides. The end of a sentence, ``</s>``,
has no n-grams. In files from before version 11 it has: the program of that age gave it some, and
wrote its .vec so.

How they are summed. An input matrix has up to millions of rows, scattered over which lie those of
one word, so it is read in ranges, and each range adds its rows to a sum for each word. Sums of
floats depend on their order, and so on where the ranges were cut and which came first. These
sums don't: each value is first rounded to a multiple of 2**-40, and such multiples are added as
64-bit integers, which is exact, so every order gives the same bytes. The rounding moves a mean
by less than 2**-40 (1e-12), which is below half a unit in the last place of a float32 for all
that is larger than 2e-5. That leaves 63 - 40 = 23 bits: 10 for the size of a value, 13 for the
rows of one word. A model with larger values has diverged and is refused; a word of more rows,
some 2,000 characters, gets no vector.

The alternatives cost more. Fixed segments of the matrix, summed each by itself and added in
order, are as reproducible, but all their sums must be kept until they can be added; rows that
are kept and summed at the end take 720 MB for 20,000 words of 30 n-grams in 300 dimensions, where
these sums take 48 MB.

A word with one row only, as in models without n-grams, has no sum: its vector is that row, bit
for bit, and its place in the sums holds the bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from formats.errors import damaged
from formats.vectors.fasttext_bin import FastTextHead, FastTextModel, read_end

_END_OF_SENTENCE = b"</s>"
_FIRST_VERSION_WITH_MAGIC = 11
_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))
_FNV_OFFSET = np.uint32(2166136261)
_FNV_PRIME = np.uint32(16777619)
_UNITS = float(1 << 40)
_MOST_ROWS = 1 << 13
_LARGEST_VALUE = float(1 << 10)
_BLOCK_BYTES = 4 << 20
_REMEDY = "the file was cut off or damaged: get it again"

Sums = npt.NDArray[np.int64]


class RowPlan(NamedTuple):
    """Which rows of the input matrix which words need.

    Attributes:
        rows: int64, a row for each use by a word, ascending.
        words: int32, the word that uses it, as its index among the planned words.
        counts: int32 [words], how many rows the vector of each word is the mean of.
    """

    rows: npt.NDArray[np.int64]
    words: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int32]


def plan_rows(head: FastTextHead, words: Sequence[bytes], ids: Mapping[bytes, int]) -> RowPlan:
    """Works out the rows of the input matrix that the vectors of some words need.

    A word that is not in the dictionary and has no n-grams has no rows and so no vector.

    Args:
        head: of the model.
        words: the words as UTF-8, each once.
        ids: own rows of the words that are in the dictionary.
    """
    own = np.array([ids.get(word, -1) for word in words], np.int64)
    known = np.flatnonzero(own >= 0).astype(np.int32)
    users, buckets = _ngram_buckets(head, words)
    users = np.concatenate([known, users])
    rows = np.concatenate([own[known], head.words + buckets])
    counts = np.bincount(users, minlength=len(words)).astype(np.int32)
    order = np.argsort(rows, kind="stable")
    return RowPlan(rows[order], users[order], counts)


def new_sums(model: FastTextModel, plan: RowPlan) -> Sums:
    """Sums of no rows yet, int64 [words, dim]. Sums of several ranges are added with ``+``."""
    return np.zeros((len(plan.counts), model.head.dim), np.int64)


def add_rows(
    stream: BinaryIO,
    model: FastTextModel,
    plan: RowPlan,
    first: int,
    last: int,
    sums: Sums,
    *,
    name: str,
    block_bytes: int = _BLOCK_BYTES,
) -> None:
    """Adds the rows ``[first, last)`` of the input matrix to the sums of the words using them.

    Each row must be added once, in whatever order and to whichever of the sums that are added
    up later. The range that holds the last row also proves the end of the file.

    Args:
        stream: the model, decompressed; where it is not seekable, at its first byte.
        model: the model.
        plan: the rows that are needed.
        first: first row of the range.
        last: first row behind the range.
        sums: changed in place.
        name: what messages call the file.
        block_bytes: bytes read at a time.

    Raises:
        DataError: the file ends early, or a needed value is not finite or too large.
    """
    _go_to(stream, model.place(first), name)
    step = max(block_bytes // model.row_bytes, 1)
    for start in range(first, last, step):
        stop = min(start + step, last)
        data = _read(stream, (stop - start) * model.row_bytes)
        if len(data) < (stop - start) * model.row_bytes:
            raise damaged(
                name,
                _place(model, start + len(data) // model.row_bytes),
                expected=f"{model.rows} rows of {model.row_bytes} bytes",
                found=f"the end of the file at byte {model.place(start) + len(data)}",
                remedy=_REMEDY,
            )
        block = np.frombuffer(data, "<f4").reshape(stop - start, model.head.dim)
        _add_block(block, start, model, plan, sums, name)
    if last == model.rows:
        read_end(stream, model, name=name)


def mean_vectors(counts: npt.NDArray[np.int32], sums: Sums) -> npt.NDArray[np.float32]:
    """The vectors of words, once all rows are added.

    Args:
        counts: int32 [words], ``RowPlan.counts`` of these words.
        sums: int64 [words, dim].

    Returns:
        float32 [words, dim]; zeros where a count is 0, so that there is no vector.
    """
    vectors = np.empty(sums.shape, np.float32)
    # Block by block, since the doubles of all words would take as much memory as the sums.
    for start in range(0, len(sums), 1024):
        part = slice(start, start + 1024)
        units = _UNITS * np.maximum(counts[part], 1)
        vectors[part] = sums[part] / units[:, None]
    single = np.flatnonzero(counts == 1)
    vectors[single] = sums[single].astype(np.int32).view(np.float32)
    return vectors


def _ngram_buckets(
    head: FastTextHead, words: Sequence[bytes]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """The buckets of all n-grams of some words, each with the index of its word."""
    picked = [
        index
        for index, word in enumerate(words)
        if (word != _END_OF_SENTENCE or head.version < _FIRST_VERSION_WITH_MAGIC)
        and _number_of_ngrams(head, word) < _MOST_ROWS
    ]
    if not head.has_ngrams or not picked:
        return np.empty(0, np.int32), np.empty(0, np.int64)
    data = np.frombuffer(b"".join(b"<%b>" % words[index] for index in picked), np.int8)
    ends = np.cumsum([len(words[index]) + 2 for index in picked])
    char_starts = np.flatnonzero((data & np.int8(-64)) != -128)
    # Words begin with "<", so no character goes on from one into the next.
    char_bytes = np.diff(char_starts, append=len(data))
    word_of_char = np.searchsorted(ends, char_starts, side="right")
    edges = np.searchsorted(char_starts, ends)
    chars_left = edges[word_of_char] - np.arange(len(char_starts))
    is_first = np.diff(word_of_char, prepend=-1) != 0
    users: list[npt.NDArray[np.intp]] = []
    buckets: list[npt.NDArray[np.int64]] = []
    hashes = np.full(len(char_starts), _FNV_OFFSET)
    grams = np.arange(len(char_starts))
    signed = data.astype(np.uint32)
    for size in range(1, head.maxn + 1):
        grams = grams[chars_left[grams] >= size]
        if not len(grams):
            break
        chars = grams + size - 1
        _extend(hashes, grams, signed, char_starts[chars], char_bytes[chars])
        if size >= head.minn:
            kept = grams
            if size == 1:
                kept = grams[~is_first[grams] & (chars_left[grams] > 1)]
            users.append(word_of_char[kept])
            buckets.append(hashes[kept].astype(np.int64) % head.bucket)
    if not users:
        return np.empty(0, np.int32), np.empty(0, np.int64)
    of_all = np.array(picked, np.int32)
    return of_all[np.concatenate(users)], np.concatenate(buckets)


def _number_of_ngrams(head: FastTextHead, word: bytes) -> int:
    """At least as many as the word has."""
    chars = len(word.translate(None, _CONTINUATION_BYTES)) + 2
    return chars * max(min(head.maxn, chars) - head.minn + 1, 0)


def _extend(
    hashes: npt.NDArray[np.uint32],
    grams: npt.NDArray[np.intp],
    signed: npt.NDArray[np.uint32],
    starts: npt.NDArray[np.intp],
    lengths: npt.NDArray[np.intp],
) -> None:
    """Takes one more character into the hashes of some n-grams."""
    depth = 0
    while len(grams):
        hashes[grams] = (hashes[grams] ^ signed[starts + depth]) * _FNV_PRIME
        depth += 1
        more = lengths > depth
        grams, starts, lengths = grams[more], starts[more], lengths[more]


def _add_block(
    block: npt.NDArray[np.float32],
    start: int,
    model: FastTextModel,
    plan: RowPlan,
    sums: Sums,
    name: str,
) -> None:
    low, high = np.searchsorted(plan.rows, [start, start + len(block)])
    if low == high:
        return
    words, rows = plan.words[low:high], plan.rows[low:high] - start
    single = plan.counts[words] == 1
    values = block[rows[single]]
    _demand(np.isfinite(values), values, rows[single] + start, model, name)
    sums[words[single]] = values.view(np.int32)
    rows, uses = np.unique(rows[~single], return_inverse=True)
    values = block[rows]
    _demand(np.abs(values) < _LARGEST_VALUE, values, rows + start, model, name)
    units = np.rint(np.multiply(values, _UNITS, dtype=np.float64)).astype(np.int64)
    # A row at a time is as fast as gathering them all, and needs no memory.
    for word, use in zip(words[~single].tolist(), uses.tolist(), strict=True):
        sums[word] += units[use]


def _demand(
    good: npt.NDArray[np.bool_],
    values: npt.NDArray[np.float32],
    rows: npt.NDArray[np.int64],
    model: FastTextModel,
    name: str,
) -> None:
    if good.all():
        return
    index, column = np.argwhere(~good)[0]
    value = float(values[index, column])
    expected, remedy = "finite values", _REMEDY
    if np.isfinite(value):
        expected = f"values below {_LARGEST_VALUE:.0f} in size"
        remedy = "the training of the model diverged: train it at a lower learning rate"
    place = _place(model, int(rows[index]))
    raise damaged(name, place, expected=expected, found=str(value), remedy=remedy)


def _go_to(stream: BinaryIO, place: int, name: str) -> None:
    if stream.seekable():
        stream.seek(place)
        return
    left = place
    while left:
        skipped = len(stream.read(min(left, _BLOCK_BYTES)))
        left -= skipped
        if not skipped:
            found = f"the end of the file at byte {place - left}"
            raise damaged(name, f"byte {place}", expected="rows", found=found, remedy=_REMEDY)


def _read(stream: BinaryIO, size: int) -> bytes:
    """Up to so many bytes; fewer only at the end of the file."""
    data = stream.read(min(size, _BLOCK_BYTES))
    if len(data) == size:
        return data
    parts = [data]
    size -= len(data)
    while size and parts[-1]:
        parts.append(stream.read(min(size, _BLOCK_BYTES)))
        size -= len(parts[-1])
    return b"".join(parts)


def _place(model: FastTextModel, row: int) -> str:
    return f"input matrix row {row}, byte {model.place(row)}"
