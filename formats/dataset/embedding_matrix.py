"""Shards of the embedding matrix: NumPy ``.npy``, Parquet or safetensors.

An ``.npy`` shard has NumPy's header of version 1.0, then the rows, C order, ``<f4`` or ``<f2``
(https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). A Parquet shard has the
columns ``id`` int32, ``token`` string and ``vector``, a list of ``dim`` float or halffloat. A
safetensors shard (``formats.safetensors``) has one tensor, ``embeddings``, F32 or F16 [rows, dim].
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from formats.arrow_errors import ARROW_ERRORS
from formats.errors import DataError, damaged
from formats.safetensors import FLOAT16, FLOAT32, read_header, write_tensor

NPY, PARQUET, SAFETENSORS = "npy", "parquet", "safetensors"
MATRIX_FORMATS = (NPY, PARQUET, SAFETENSORS)

_SHARD_BYTES = 64 << 20
_BLOCK_BYTES = 4 << 20
_DTYPES = {"<f4": pa.float32(), "<f2": pa.float16()}
_NUMPY_DTYPES = {arrow: np.dtype(little) for little, arrow in _DTYPES.items()}
# As Arrow counts the items of a list.
_MAX_DIM = (1 << 31) - 1
# NumPy lets Python parse a header, and lets pass what that makes of bytes that are none.
_HEADER_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    SyntaxError,
    tokenize.TokenError,
    RecursionError,
    MemoryError,
)
_TENSOR = "embeddings"
_TENSOR_DTYPES: dict[str, np.dtype[Any]] = {
    FLOAT32: np.dtype("<f4"),
    FLOAT16: np.dtype("<f2"),
}
_REMEDY = "build the dataset again"


class ShardBlock(NamedTuple):
    """Consecutive rows of a shard.

    Attributes:
        vectors: float32 or float16 [rows, dim].
        ids: int32 [rows], the matrix rows as the file names them; Parquet only, else None.
        tokens: ``pa.StringArray``; Parquet only, else None.
    """

    vectors: npt.NDArray[Any]
    ids: npt.NDArray[np.int32] | None
    tokens: Any


class OpenShard(NamedTuple):
    """A shard whose header was read; ``blocks`` can be gone through once, a few MiB a step."""

    rows: int
    dim: int
    dtype: str
    blocks: Iterator[ShardBlock]


def default_shards(total_bytes: int) -> int:
    """One shard for each 64 MiB, at least one."""
    return max(1, -(-total_bytes // _SHARD_BYTES))


def shard_bounds(rows: int, shards: int) -> npt.NDArray[np.int64]:
    """First row of each shard, and behind them the number of rows; int64 [shards + 1]."""
    return np.arange(shards + 1, dtype=np.int64) * rows // shards


def write_shard(
    file: BinaryIO, format: str, vectors: npt.NDArray[Any], first_row: int, tokens: Any
) -> None:
    """Writes one shard.

    Args:
        file: writable binary file.
        format: one of ``MATRIX_FORMATS``.
        vectors: float32 or float16 [rows, dim].
        first_row: the matrix row of the first of them.
        tokens: ``pa.StringArray`` [rows]; only Parquet keeps it, for others it may be None.
    """
    vectors = np.ascontiguousarray(vectors, vectors.dtype.newbyteorder("<"))
    if vectors.dtype.str not in _DTYPES:
        raise TypeError(f"expected float32 or float16, got {vectors.dtype}")
    if format == NPY:
        _write_npy(file, vectors)
    elif format == SAFETENSORS:
        write_tensor(file, _TENSOR, vectors)
    else:
        _write_parquet(file, vectors, first_row, tokens)


def _write_npy(file: BinaryIO, vectors: npt.NDArray[Any]) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(vectors))
    file.write(header.getvalue())
    if vectors.size:
        file.write(vectors.data.cast("B"))


def _write_parquet(file: BinaryIO, vectors: npt.NDArray[Any], first_row: int, tokens: Any) -> None:
    rows, dim = vectors.shape
    ids = np.arange(first_row, first_row + rows, dtype=np.int32)
    flat = pa.array(vectors.reshape(-1))
    table = pa.table(
        [pa.array(ids), tokens, pa.FixedSizeListArray.from_arrays(flat, dim)],
        schema=pa.schema(
            [
                pa.field("id", pa.int32(), nullable=False),
                pa.field("token", pa.string(), nullable=False),
                pa.field("vector", pa.list_(_DTYPES[vectors.dtype.str], dim), nullable=False),
            ]
        ),
    )
    sink = pa.BufferOutputStream()
    # Floats hardly compress, and a reader decodes a row group as a whole.
    pq.write_table(
        table,
        sink,
        compression="none",
        use_dictionary=False,
        row_group_size=_block_rows(vectors.dtype, dim),
    )
    file.write(sink.getvalue())


def open_shard(file: BinaryIO, format: str, name: str) -> OpenShard:
    """Opens a shard for reading it in blocks.

    Args:
        file: seekable binary file.
        format: one of ``MATRIX_FORMATS``.
        name: what messages call the file.

    Raises:
        DataError: the file breaks its format; from ``blocks`` as well.
    """
    if format == NPY:
        return _open_npy(file, name)
    return _open_safetensors(file, name) if format == SAFETENSORS else _open_parquet(file, name)


def read_shard(file: BinaryIO, format: str, name: str) -> npt.NDArray[Any]:
    """Reads a whole shard, float32 or float16 [rows, dim]; arguments as for ``open_shard``."""
    shard = open_shard(file, format, name)
    vectors = np.empty((shard.rows, shard.dim), shard.dtype)
    row = 0
    for block in shard.blocks:
        vectors[row : row + len(block.vectors)] = block.vectors
        row += len(block.vectors)
    return vectors


def _open_npy(file: BinaryIO, name: str) -> OpenShard:
    try:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"version {version}")
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    except _HEADER_ERRORS as error:
        raise damaged(
            name, "byte 0", expected="a .npy header of version 1.0", found=str(error),
            remedy=_REMEDY,
        ) from error  # fmt: skip
    if (
        len(shape) != 2
        or shape[0] < 0
        or not 0 < shape[1] <= _MAX_DIM
        or fortran_order
        or dtype.str not in _DTYPES
    ):
        raise damaged(
            name,
            "header",
            expected="rows and dimensions of <f4 or <f2 in C order",
            found=f"{shape} of {dtype.str}{' in Fortran order' if fortran_order else ''}",
            remedy=_REMEDY,
        )
    rows, dim = shape
    start = file.tell()
    size = file.seek(0, io.SEEK_END)
    if size != start + rows * dim * dtype.itemsize:
        raise damaged(
            name,
            f"byte {size}",
            expected=f"the end at byte {start + rows * dim * dtype.itemsize}",
            found=f"{size} bytes",
            remedy=_REMEDY,
        )
    file.seek(start)
    return OpenShard(rows, dim, dtype.name, _array_blocks(file, rows, dim, dtype))


def _open_safetensors(file: BinaryIO, name: str) -> OpenShard:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    tensors = read_header(file, size, name, _REMEDY)
    tensor = tensors.get(_TENSOR)
    if (
        len(tensors) != 1
        or tensor is None
        or len(tensor.shape) != 2
        or not 0 < tensor.shape[1] <= _MAX_DIM
        or tensor.dtype not in _TENSOR_DTYPES
    ):
        found = ", ".join(f"{key} {t.dtype} {list(t.shape)}" for key, t in tensors.items())
        raise damaged(
            name,
            "header",
            expected=f"one tensor, {_TENSOR}, of F32 or F16, rows and dimensions",
            found=found or "none",
            remedy=_REMEDY,
        )
    rows, dim = tensor.shape
    dtype = _TENSOR_DTYPES[tensor.dtype]
    return OpenShard(rows, dim, dtype.name, _array_blocks(file, rows, dim, dtype))


def _array_blocks(
    file: BinaryIO, rows: int, dim: int, dtype: np.dtype[Any]
) -> Iterator[ShardBlock]:
    step = _block_rows(dtype, dim)
    for row in range(0, rows, step):
        block = np.empty((min(step, rows - row), dim), dtype)
        data = file.read(block.nbytes)
        block.reshape(-1)[:] = np.frombuffer(data, dtype)
        yield ShardBlock(block, None, None)


def _open_parquet(file: BinaryIO, name: str) -> OpenShard:
    try:
        parquet = pq.ParquetFile(file)
        columns = [(field.name, field.type) for field in parquet.schema_arrow]
    except ARROW_ERRORS as error:
        raise DataError(f"{name}: can't be read as Parquet: {error}; {_REMEDY}") from error
    vector = dict(columns).get("vector", pa.null())
    if (
        [column for column in columns if column != ("vector", vector)]
        != [("id", pa.int32()), ("token", pa.string())]
        or not pa.types.is_fixed_size_list(vector)
        or vector.list_size < 1
        or vector.value_type not in _NUMPY_DTYPES
    ):
        raise damaged(
            name,
            "columns",
            expected="id int32, token string, vector fixed_size_list of float or halffloat",
            found=", ".join(f"{column} {kind}" for column, kind in columns),
            remedy=_REMEDY,
        )
    dtype = _NUMPY_DTYPES[vector.value_type]
    dim = vector.list_size
    rows = parquet.metadata.num_rows
    # Its floats are never compressed, and so tell what memory a reader may spend.
    most_rows = file.seek(0, io.SEEK_END) // (dim * dtype.itemsize)
    if not 0 <= rows <= most_rows:
        raise damaged(name, "metadata", expected=f"at most {most_rows} rows", found=f"{rows}",
                      remedy=_REMEDY)  # fmt: skip
    return OpenShard(rows, dim, dtype.name, _parquet_blocks(parquet, rows, dim, dtype, name))


def _parquet_blocks(
    parquet: Any, rows: int, dim: int, dtype: np.dtype[Any], name: str
) -> Iterator[ShardBlock]:
    read = 0
    for batch in _batches(parquet, _block_rows(dtype, dim), name):
        read += batch.num_rows
        if read > rows:
            break
        flat = batch.column("vector").flatten()
        if any(column.null_count for column in (*batch.columns, flat)):
            raise damaged(name, "rows", expected="no nulls", found="nulls", remedy=_REMEDY)
        yield ShardBlock(
            flat.to_numpy(zero_copy_only=False).reshape(-1, dim),
            batch.column("id").to_numpy(),
            batch.column("token"),
        )
    if read != rows:
        raise damaged(name, f"row {min(read, rows)}", expected=f"{rows} rows", found=f"{read}",
                      remedy=_REMEDY)  # fmt: skip


def _batches(parquet: Any, rows: int, name: str) -> Iterator[Any]:
    try:
        for batch in parquet.iter_batches(batch_size=rows):
            # Arrow takes a file's word that its strings are UTF-8.
            batch.validate(full=True)
            yield batch
    except ARROW_ERRORS as error:
        raise DataError(f"{name}: can't be read as Parquet: {error}; {_REMEDY}") from error


def _block_rows(dtype: np.dtype[Any], dim: int) -> int:
    return max(1, _BLOCK_BYTES // max(1, dim * dtype.itemsize))
