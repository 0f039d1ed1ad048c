"""gensim's ``KeyedVectors``, and its models that have some, as their ``save()`` writes them.

That is a pickle, with large arrays as ``.npy`` files beside it
(https://radimrehurek.com/gensim/utils.html#gensim.utils.SaveLoad). Unpickling runs what the
file's maker put there, so it is done only if the user says so outright. The vectors are mapped
into memory where they lie beside the pickle, else they are held in it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from formats.errors import DataError, UsageError, damaged
from formats.vectors.records import ArrayRows, Indices, Singles, as_singles

KEYED = "keyed"

_FORMAT = "gensim KeyedVectors"
_REMEDY = "write it with gensim's save_word2vec_format instead"


class KeyedLayout(NamedTuple):
    """What gensim found in a pickle: so many rows of so many dimensions."""

    format: str
    rows: int
    dim: int

    @property
    def kind(self) -> str:
        """``keyed``."""
        return KEYED


def is_pickle(head: bytes) -> bool:
    """Whether a file starts as a pickle of protocol 2 to 5 does."""
    return head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


def find_keyed_vectors(path: str, spec: str) -> KeyedLayout:
    """Loads a pickle to see what it holds. This runs code of whoever made it.

    Raises:
        UsageError: the file is not on this machine, from where gensim reads.
        DataError: it can't be unpickled, or holds no word vectors.
    """
    if "://" in path:
        raise UsageError(
            f"--vectors {spec}: gensim's files can be read from this machine only; copy it and the "
            ".npy files beside it, or convert it with gensim's save_word2vec_format"
        )
    vectors = _load(path)
    return KeyedLayout(_FORMAT, *vectors.vectors.shape)


def read_keyed_vectors(
    path: str, layout: KeyedLayout, block_bytes: int = 1 << 20
) -> Iterator[ArrayRows]:
    """Loads a pickle and reads all of it in blocks. This runs code of whoever made it.

    Args:
        path: the file.
        layout: as ``find_keyed_vectors`` found it.
        block_bytes: bytes of the vectors of a block, as singles.

    Raises:
        DataError: it can't be unpickled, or holds no word vectors.
    """
    keyed = _load(path)
    rows = max(1, block_bytes // (4 * layout.dim))
    for row in range(0, layout.rows, rows):
        # A lone surrogate gives bytes that are no UTF-8, which no word of a corpus has.
        tokens = [
            key.encode("utf-8", "surrogatepass") for key in keyed.index_to_key[row : row + rows]
        ]
        block = keyed.vectors[row : row + rows]
        yield ArrayRows(tokens, row, functools.partial(_choose, block))


def _choose(block: Any, chosen: Indices) -> Singles:
    return as_singles(block[chosen])


def _load(path: str) -> Any:
    from gensim.models import KeyedVectors
    from gensim.utils import SaveLoad

    try:
        loaded = SaveLoad.load(path, mmap="r")
    # Whatever is in a pickle can raise whatever it likes.
    except Exception as error:
        raise DataError(
            f"{path}: can't be loaded as gensim saved it: {type(error).__name__}: {error}; "
            f"{_REMEDY}"
        ) from error
    keyed = getattr(loaded, "wv", loaded)
    if not isinstance(keyed, KeyedVectors):
        raise damaged(path, "byte 0", expected="KeyedVectors, or a model that has some as wv",
                      found=f"a pickle of {type(loaded).__name__}", remedy=_REMEDY)  # fmt: skip
    tokens, vectors = keyed.index_to_key, np.asarray(keyed.vectors)
    whole = vectors.ndim == 2 and min(vectors.shape) > 0 and len(tokens) == len(vectors)
    if not whole or vectors.dtype.kind != "f":
        raise damaged(path, "vectors", expected="a row of floats for each token, and one or more",
                      found=f"{len(tokens)} tokens, {vectors.dtype} of the shape {vectors.shape}",
                      remedy=_REMEDY)  # fmt: skip
    if odd := [token for token in tokens if not isinstance(token, str)]:
        raise damaged(path, "index_to_key", expected="tokens, as strings",
                      found=f"{odd[0]!r}", remedy=_REMEDY)  # fmt: skip
    return keyed
