r"""fastText models (``.bin``): what they hold, whose words they know, where their vectors are.

A model is written by facebookresearch/fastText (``FastText::saveModel`` in fasttext.cc,
``Args::save`` in args.cc, ``Dictionary::save`` in dictionary.cc, ``DenseMatrix::save`` in
densematrix.cc), and in the same layout by gensim's ``save_facebook_model``. All numbers are
little-endian, nothing is aligned:

======================  ====================================================================
int32 2                 793712314, version (11 or 12)
int32 12                dim, ws, epoch, minCount, neg, wordNgrams, loss (hs 1, ns 2, softmax
                        3, one-vs-all 4), model (cbow 1, skip-gram 2, supervised 3), bucket,
                        minn, maxn, lrUpdateRate
float64                 t
int32 3                 entries of the dictionary = words + labels, words, labels
int64 2                 tokens of the corpus, pruned rows (-1: not pruned)
entries                 the word's bytes and 0x00, int64 count, int8 type (0 word, 1 label);
                        words first
int32 2, pruned times   bucket, row
uint8                   1 when the input matrix is quantised (``.ftz``)
int64 2, float32 m x n  input matrix: m = words + bucket rows of n = dim, row by row
uint8                   1 when the output matrix is to be quantised too
int64 2, float32 m x n  output matrix, then the end of the file
======================  ====================================================================

Before version 11 (May 2017) there was no magic number, no version, no pruned rows and neither
uint8: such a file starts with dim, and it is told from others by its numbers being plausible.

Supervised models are read as the others are: their input matrix has the same rows. Labels are
no words, and the word n-grams that share the buckets are no part of a word's vector. Before
version 12 supervised models had no character n-grams, whatever their maxn (``loadModel``).
Quantised models hold approximations only and are refused; so are pruned models that are not
quantised, as fastText itself refuses them.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Container, Generator, Iterator
from typing import BinaryIO, NamedTuple

from formats.errors import DataError, damaged

CBOW, SKIP_GRAM, SUPERVISED = "cbow", "skip-gram", "supervised"

_MAGIC = 793712314
_MAGIC_BYTES = struct.pack("<i", _MAGIC)
_VERSIONS = (11, 12)
# The files without a version.
_OLD = 10
_SIGNATURE = struct.Struct("<2i")
_ARGS = struct.Struct("<12id")
_OLD_SIZES = struct.Struct("<3iq")
_SIZES = struct.Struct("<3i2q")
_SHAPE = struct.Struct("<2q")
_ENTRY_TAIL = 10
_PRUNED_BYTES = 8
_FLOAT_BYTES = 4
_BLOCK_BYTES = 1 << 20
_MAX_WORD_BYTES = 1 << 20
_MAX_DIM = 1 << 16
_KINDS = (CBOW, SKIP_GRAM, SUPERVISED)
_LOSSES = ("hs", "ns", "softmax", "ova")
_REMEDY = "the file was cut off or damaged: get it again"


class FastTextHead(NamedTuple):
    """What the first bytes of a model tell.

    Attributes:
        version: of the layout; 10 for a file from before versions were written.
        dim: dimensions of a vector.
        kind: ``cbow``, ``skip-gram`` or ``supervised``.
        loss: ``hs``, ``ns``, ``softmax`` or ``ova``.
        bucket: rows of the input matrix that the n-grams share.
        minn: characters of the shortest n-gram of a word.
        maxn: characters of the longest n-gram; 0 when words have none.
        words: number of words.
        labels: number of labels.
        pruned: rows left by pruning; -1 when the model is not pruned.
        head_bytes: where the dictionary's first entry starts.
    """

    version: int
    dim: int
    kind: str
    loss: str
    bucket: int
    minn: int
    maxn: int
    words: int
    labels: int
    pruned: int
    head_bytes: int

    @property
    def has_ngrams(self) -> bool:
        """Whether words have n-grams, so that unknown words can have a vector."""
        return self.maxn > 0 and self.bucket > 0


class FastTextModel(NamedTuple):
    """A model whose dictionary has been read through, so that its matrix is found.

    Attributes:
        head: what the first bytes tell.
        offset: byte where row 0 of the input matrix starts.
        rows: rows of the input matrix: the words', then the buckets'.
    """

    head: FastTextHead
    offset: int
    rows: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of the input matrix."""
        return _FLOAT_BYTES * self.head.dim

    def place(self, row: int) -> int:
        """The byte where a row of the input matrix starts."""
        return self.offset + row * self.row_bytes


class Dictionary(NamedTuple):
    """A model, and the wanted words that are in its dictionary.

    Attributes:
        model: the model.
        ids: row of the input matrix that is a word's own, for the wanted words that have one.
        duplicates: how often a wanted word came again; the first one counts.
    """

    model: FastTextModel
    ids: dict[bytes, int]
    duplicates: int


def is_fasttext_model(head: bytes) -> bool:
    """Whether a file is a fastText model, quantised or not, by its first 64 bytes."""
    if head.startswith(_MAGIC_BYTES):
        return True
    if len(head) < _ARGS.size:
        return False
    dim, ws, epoch, min_count, _, _, loss, model, bucket, minn, maxn, _, _ = _ARGS.unpack_from(head)
    return bool(
        0 < dim < _MAX_DIM
        and 0 <= ws < _MAX_DIM
        and 0 <= epoch < _MAX_DIM
        and min_count >= 0
        and 1 <= loss <= len(_LOSSES)
        and 1 <= model <= len(_KINDS)
        and bucket >= 0
        and 0 <= minn < _MAX_DIM
        and 0 <= maxn < _MAX_DIM
    )


def read_head(stream: BinaryIO, *, name: str) -> FastTextHead:
    """Reads the first bytes of a model, from the start of the stream.

    Args:
        stream: the model, decompressed.
        name: what messages call the file.

    Raises:
        DataError: it is not a fastText model, one of an unknown version, or damaged.
    """
    return _read_head(_Reader(stream, name))


def read_words(stream: BinaryIO, *, name: str) -> Iterator[list[bytes]]:
    """Reads the words of a model in file order, block by block, without its labels.

    Args:
        stream: the model from its first byte, decompressed.
        name: what messages call the file.

    Raises:
        DataError: the file is no model that can be read, or is damaged in what was read.
    """
    reader = _Reader(stream, name)
    head = _read_head(reader)
    yield from reader.words(head.words, 0)


def read_dictionary(stream: BinaryIO, wanted: Container[bytes], *, name: str) -> Dictionary:
    """Reads a model up to its input matrix, and keeps the rows of the wanted words.

    Memory is bounded by the wanted words. Where the stream is seekable, the file is also
    found to be as long as its matrices need.

    Args:
        stream: the model from its first byte, decompressed.
        wanted: the words whose rows are asked for; a set or a dict's keys.
        name: what messages call the file.

    Raises:
        DataError: the file is no model that can be read rightly, such as a quantised one, or
            is damaged.
    """
    reader = _Reader(stream, name)
    head = _read_head(reader)
    ids: dict[bytes, int] = {}
    first = hits = 0
    for words in reader.words(head.words, 0):
        for row, word in enumerate(words, first):
            if word in wanted:
                ids.setdefault(word, row)
                hits += 1
        first += len(words)
    for _ in reader.words(head.labels, 1):
        pass
    model = _find_matrix(reader, head)
    if stream.seekable():
        stream.seek(model.place(model.rows))
        read_end(stream, model, name=name)
    return Dictionary(model, ids, hits - len(ids))


def read_end(stream: BinaryIO, model: FastTextModel, *, name: str) -> None:
    """Reads what follows the input matrix, and proves that the file is whole.

    Args:
        stream: the model, standing behind the last row of the input matrix.
        model: the model.
        name: what messages call the file.

    Raises:
        DataError: the file ends before or behind the end of its output matrix.
    """
    reader = _Reader(stream, name, model.place(model.rows))
    if model.head.version != _OLD:
        reader.flag("a flag, 0 or 1, behind the input matrix")
    rows, dim = reader.unpack(_SHAPE, "the shape of the output matrix")
    if rows < 0 or dim != model.head.dim:
        raise reader.damage(f"an output matrix of {model.head.dim} columns", f"{rows} x {dim}")
    size = rows * dim * _FLOAT_BYTES
    left = reader.skip_to_end()
    if left != size:
        raise reader.damage(
            f"the {size} bytes of the output matrix, {rows} x {dim}, and the end of the file",
            f"{left} bytes",
        )


def cut_rows(model: FastTextModel, range_bytes: int) -> list[tuple[int, int]]:
    """Cuts the input matrix into ranges of rows ``[first, last)`` to be read in parallel."""
    step = max(range_bytes // model.row_bytes, 1)
    return [(first, min(first + step, model.rows)) for first in range(0, model.rows, step)]


def _read_head(reader: _Reader) -> FastTextHead:
    start = reader.peek(_ARGS.size)
    if not is_fasttext_model(start):
        raise reader.damage("a fastText model", f"{len(start)} bytes {start[:8]!r}")
    version = _OLD
    if start.startswith(_MAGIC_BYTES):
        _, version = reader.unpack(_SIGNATURE, "a version")
        if version not in _VERSIONS:
            raise DataError(
                f"{reader.name}: byte 4: expected a fastText model of version 11 or 12, found "
                f"version {version}; use the .vec file that fastText wrote beside it"
            )
    dim, _, _, _, _, _, loss, kind, bucket, minn, maxn, _, _ = reader.unpack(
        _ARGS, "the arguments of the training"
    )
    reader.demand(0 < dim < _MAX_DIM, f"1 to {_MAX_DIM - 1} dimensions", dim)
    reader.demand(1 <= loss <= len(_LOSSES), "a loss, 1 to 4", loss)
    reader.demand(1 <= kind <= len(_KINDS), "a kind of model, 1 to 3", kind)
    reader.demand(min(bucket, minn, maxn) >= 0, "bucket, minn and maxn", (bucket, minn, maxn))
    if version == _OLD:
        entries, words, labels, _ = reader.unpack(_OLD_SIZES, "the sizes of the dictionary")
        pruned = -1
    else:
        entries, words, labels, _, pruned = reader.unpack(_SIZES, "the sizes of the dictionary")
    reader.demand(
        min(words, labels, pruned + 1) >= 0 and words + labels == entries,
        "as many entries as words and labels",
        f"{entries} entries, {words} words, {labels} labels, {pruned} pruned",
    )
    if _KINDS[kind - 1] == SUPERVISED and version < _VERSIONS[-1]:
        maxn = 0
    return FastTextHead(
        version,
        dim,
        _KINDS[kind - 1],
        _LOSSES[loss - 1],
        bucket,
        minn,
        maxn,
        words,
        labels,
        pruned,
        reader.place,
    )


def _find_matrix(reader: _Reader, head: FastTextHead) -> FastTextModel:
    """Reads from behind the dictionary up to the first row of the input matrix."""
    reader.skip(_PRUNED_BYTES * max(head.pruned, 0), "the pruned rows")
    if head.version != _OLD and reader.flag("a flag, 0 or 1, before the input matrix"):
        raise DataError(
            f"{reader.name}: a quantised fastText model (.ftz), which holds only approximations "
            "of its vectors; use the .bin it was made from, or write the vectors as text with "
            "`fasttext print-word-vectors`"
        )
    if head.pruned >= 0:
        raise DataError(
            f"{reader.name}: a pruned fastText model that is not quantised, which fastText "
            "itself refuses; use the .bin it was made from"
        )
    rows, dim = reader.unpack(_SHAPE, "the shape of the input matrix")
    reader.demand(
        (rows, dim) == (head.words + head.bucket, head.dim),
        f"an input matrix of {head.words + head.bucket} x {head.dim}",
        f"{rows} x {dim}",
    )
    return FastTextModel(head, reader.place, rows)


class _Reader:
    """Takes a stream apart from front to back; memory grows with what is there only."""

    def __init__(self, stream: BinaryIO, name: str, base: int = 0) -> None:
        self._stream = stream
        self.name = name
        self._data = b""
        self._at = 0
        self._base = base

    @property
    def place(self) -> int:
        """The byte of the file that comes next."""
        return self._base + self._at

    def peek(self, size: int) -> bytes:
        while len(self._data) - self._at < size and self._read():
            pass
        return self._data[self._at : self._at + size]

    def unpack(self, form: struct.Struct, what: str) -> tuple[int, ...]:
        data = self.peek(form.size)
        if len(data) < form.size:
            raise self.damage(what, f"the end of the file after {len(data)} bytes")
        self._at += form.size
        return form.unpack(data)

    def flag(self, what: str) -> int:
        (value,) = self.unpack(struct.Struct("B"), what)
        self.demand(value <= 1, what, value)
        return value

    def skip(self, size: int, what: str) -> None:
        while size:
            step = min(size, len(self._data) - self._at)
            self._at += step
            size -= step
            if size and not self._read():
                raise self.damage(what, f"the end of the file, {size} bytes early")

    def skip_to_end(self) -> int:
        """The number of bytes left."""
        if self._stream.seekable():
            end = self._stream.seek(0, io.SEEK_END)
            return end - self.place
        left = len(self._data) - self._at
        while more := self._stream.read(_BLOCK_BYTES):
            left += len(more)
        return left

    def words(self, count: int, kind: int) -> Generator[list[bytes], None, None]:
        """Yields the words of the next entries, which are all of one type."""
        done = 0
        while done < count:
            start = self.place
            words, kinds = self._hop(count - done)
            if kinds.count(kind) < len(kinds):
                wrong = next(index for index, each in enumerate(kinds) if each != kind)
                start += sum(len(word) + _ENTRY_TAIL for word in words[:wrong])
                found = f"{words[wrong][:40]!r} of type {kinds[wrong]}"
                raise self._entry_damage(done + wrong, start, f"an entry of type {kind}", found)
            done += len(words)
            if words:
                yield words
            elif len(self._data) - self._at > _MAX_WORD_BYTES + _ENTRY_TAIL:
                found = f"{_MAX_WORD_BYTES} bytes without an end"
                raise self._entry_damage(done, self.place, "a word", found)
            elif not self._read():
                expected = f"{count} entries of type {kind}"
                found = f"the end of the file after {done}"
                raise self._entry_damage(done, self.place, expected, found)

    def _hop(self, most: int) -> tuple[list[bytes], bytes]:
        data, place = self._data, self._at
        find = data.find
        last_end = len(data) - _ENTRY_TAIL
        words: list[bytes] = []
        kinds = bytearray()
        while len(words) < most:
            end = find(b"\0", place)
            if end < 0 or end > last_end:
                break
            words.append(data[place:end])
            kinds.append(data[end + _ENTRY_TAIL - 1])
            place = end + _ENTRY_TAIL
        self._at = place
        return words, bytes(kinds)

    def demand(self, holds: bool, expected: str, found: object) -> None:
        if not holds:
            raise self.damage(expected, str(found))

    def damage(self, expected: str, found: str) -> DataError:
        return damaged(
            self.name, f"byte {self.place}", expected=expected, found=found, remedy=_REMEDY
        )

    def _entry_damage(self, index: int, place: int, expected: str, found: str) -> DataError:
        where = f"dictionary entry {index + 1}, byte {place}"
        return damaged(self.name, where, expected=expected, found=found, remedy=_REMEDY)

    def _read(self) -> bool:
        more = self._stream.read(_BLOCK_BYTES)
        self._base += self._at
        self._data = self._data[self._at :] + more
        self._at = 0
        return bool(more)
