"""The embedding matrix of a dataset in the formats that other programs read.

Row i is matrix row i, so [PAD] and [UNK] are ordinary rows called so. ``word2vec`` is word2vec's
binary format, ``glove`` is GloVe's text (no header; the shortest digits that give back the same
float32), both with float16 widened, which changes no value. ``npz`` is NumPy's archive of the
arrays ``tokens``, fixed-width Unicode, and ``vectors``, of the dataset's own dtype; nothing in it
is pickled.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from formats.errors import DataError
from formats.vectors.write_word2vec import (
    demand_tokens_without_separators,
    write_word2vec_header,
    write_word2vec_rows,
)

WORD2VEC, GLOVE, NPZ = "word2vec", "glove", "npz"
EXPORT_FORMATS = (WORD2VEC, GLOVE, NPZ)

# An archive's own way to have no time, so that the same dataset gives the same bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_TOKEN_BLOCK_BYTES = 4 << 20

Blocks = Iterable[npt.NDArray[np.floating[Any]]]


class Table(NamedTuple):
    """An embedding matrix with its tokens.

    Attributes:
        tokens: ``pa.StringArray`` [rows], in the order of the matrix.
        dim: dimensions of a row.
        dtype: ``float32`` or ``float16``.
        blocks: consecutive rows, [some, dim], gone through once.
    """

    tokens: Any
    dim: int
    dtype: str
    blocks: Blocks


def demand_exportable(tokens: Any, format: str) -> None:
    """Checks, before anything is written, that a format can hold all tokens.

    Raises:
        DataError: it can't; the message names the first such token.
    """
    if format != NPZ:
        demand_tokens_without_separators(tokens, format)
        return
    row = pc.index(pc.ends_with(tokens, "\0"), True).as_py()
    if row >= 0:
        raise DataError(
            f"token {tokens[row].as_py()!r} (row {row}): npz can't hold it, since NumPy drops "
            "NUL at the end of a string"
        )


def write_export(file: BinaryIO, format: str, table: Table) -> None:
    """Writes a matrix, block by block.

    Args:
        file: writable binary file.
        format: one of ``EXPORT_FORMATS``.
        table: its tokens were checked by ``demand_exportable``.
    """
    if format == WORD2VEC:
        write_word2vec_header(file, len(table.tokens), table.dim)
        for tokens, vectors in _with_tokens(table):
            write_word2vec_rows(file, tokens.to_pylist(), vectors)
    elif format == GLOVE:
        for tokens, vectors in _with_tokens(table):
            file.write(_glove_rows(tokens, vectors))
    else:
        _write_npz(file, table)


def _with_tokens(table: Table) -> Iterator[tuple[Any, npt.NDArray[np.floating[Any]]]]:
    row = 0
    for vectors in table.blocks:
        yield table.tokens.slice(row, len(vectors)), vectors
        row += len(vectors)


def _glove_rows(tokens: Any, vectors: npt.NDArray[np.floating[Any]]) -> bytes:
    rows, dim = vectors.shape
    # Arrow writes the shortest digits that are nearest to this float32 and to no other.
    numbers = pa.array(vectors.astype(np.float32).reshape(-1)).cast(pa.string())
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * dim)
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, numbers), " ")
    lines = pc.binary_join_element_wise(tokens, joined, " ")
    return "".join(f"{line}\n" for line in lines.to_pylist()).encode()


def _write_npz(file: BinaryIO, table: Table) -> None:
    tokens = table.tokens
    characters = max(pc.max(pc.utf8_length(tokens)).as_py() or 0, 1)
    # A width for all is mostly padding; floats hardly compress.
    with zipfile.ZipFile(file, "w") as archive:
        text = np.dtype(f"<U{characters}")
        step = max(1, _TOKEN_BLOCK_BYTES // text.itemsize)
        pieces = (
            np.array(tokens.slice(row, step).to_pylist(), text)
            for row in range(0, len(tokens), step)
        )
        _write_array(archive, "tokens", zipfile.ZIP_DEFLATED, (len(tokens),), text, pieces)
        dtype = np.dtype(table.dtype).newbyteorder("<")
        shape = (len(tokens), table.dim)
        _write_array(archive, "vectors", zipfile.ZIP_STORED, shape, dtype, table.blocks)


def _write_array(
    archive: zipfile.ZipFile,
    name: str,
    compression: int,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    pieces: Iterable[npt.NDArray[Any]],
) -> None:
    info = zipfile.ZipInfo(f"{name}.npy", _NO_TIME)
    info.compress_type = compression
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    with archive.open(info, "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, header)
        for piece in pieces:
            member.write(np.ascontiguousarray(piece, dtype).tobytes())
