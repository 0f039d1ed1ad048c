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
from collections.abc import Container, Iterator
from typing import BinaryIO, NamedTuple

from formats.errors import DataError
from formats.vectors.model_reader import ModelReader
from formats.vectors.unicode_errors import SKIP, readable_tokens

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
_PRUNED_BYTES = 8
_FLOAT_BYTES = 4
_MAX_DIM = 1 << 16
_KINDS = (CBOW, SKIP_GRAM, SUPERVISED)
_LOSSES = ("hs", "ns", "softmax", "ova")


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
    return _read_head(ModelReader(stream, name))


def read_words(stream: BinaryIO, *, name: str) -> Iterator[list[bytes]]:
    """Reads the words of a model in file order, block by block, without its labels.

    Args:
        stream: the model from its first byte, decompressed.
        name: what messages call the file.

    Raises:
        DataError: the file is no model that can be read, or is damaged in what was read.
    """
    reader = ModelReader(stream, name)
    head = _read_head(reader)
    yield from reader.words(head.words, 0)


def read_dictionary(
    stream: BinaryIO, wanted: Container[bytes], *, name: str, unicode_errors: str = SKIP
) -> Dictionary:
    """Reads a model up to its input matrix, and keeps the rows of the wanted words.

    Memory is bounded by the wanted words. Where the stream is seekable, the file is also
    found to be as long as its matrices need.

    Args:
        stream: the model from its first byte, decompressed.
        wanted: the words whose rows are asked for; a set or a dict's keys.
        name: what messages call the file.
        unicode_errors: what is done with words that are not UTF-8
            (``formats.vectors.unicode_errors``).

    Raises:
        DataError: the file is no model that can be read rightly, such as a quantised one, is
            damaged, or holds a word that is not UTF-8 if that is an error.
    """
    reader = ModelReader(stream, name)
    head = _read_head(reader)
    ids: dict[bytes, int] = {}
    first = hits = 0
    for words in reader.words(head.words, 0):

        def place(index: int, first: int = first) -> str:
            return f"dictionary entry {first + index + 1}"

        readable = readable_tokens(words, unicode_errors, name, place)
        for row, word in enumerate(readable, first):
            if word in wanted:
                ids.setdefault(word, row)
                hits += 1
        first += len(words)
    for _ in reader.words(head.labels, 1):
        pass
    model = _find_matrix(reader, head)
    if stream.seekable():
        # Forged sizes may lead further than any file can reach.
        stream.seek(min(model.place(model.rows), stream.seek(0, io.SEEK_END)))
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
    reader = ModelReader(stream, name, model.place(model.rows))
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


def _read_head(reader: ModelReader) -> FastTextHead:
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


def _find_matrix(reader: ModelReader, head: FastTextHead) -> FastTextModel:
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
