r"""NumPy ``.npy``: an array of floats without words.

``\x93NUMPY``, a version of two bytes, the length of the header (2 bytes little-endian in version
1.0, 4 from 2.0 on) and the header, a Python dict literal of ``descr``, ``fortran_order`` and
``shape``; then the data (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
The header is read by NumPy. An array of Python objects is pickled, and so is refused.
"""

from __future__ import annotations

import io
import tokenize
import warnings
from typing import Any

import numpy as np

from formats.errors import DataError, damaged
from formats.vectors.array_rows import StoredArray

MAGIC = b"\x93NUMPY"

_FORMAT = "NumPy .npy"
_REMEDY = "write it again with np.save"
# What NumPy and the parsers of Python raise for a header that is none.
_HEADER_ERRORS = (
    ValueError, TypeError, LookupError, EOFError, SyntaxError, tokenize.TokenError, RecursionError,
    MemoryError,
)  # fmt: skip


def find_array(head: bytes, size: int | None, name: str) -> StoredArray:
    """Finds out what an ``.npy`` file holds.

    Args:
        head: the first bytes of the file, its header among them.
        size: bytes of the file; None where that is not known.
        name: what messages call the file.

    Raises:
        DataError: it is no matrix of floats in C order, or not whole.
    """
    file = io.BytesIO(head)
    shape, fortran_order, dtype = _read_header(file, name)
    if dtype.hasobject:
        raise _refused(name, "floats", f"Python objects ({dtype}), which are pickled and could run "
                       "code", _REMEDY + " from an array of floats")  # fmt: skip
    if dtype.kind != "f" or dtype.itemsize > 8:
        raise _refused(name, "float16, float32 or float64", f"{dtype}",
                       _REMEDY + " from array.astype(np.float32)")  # fmt: skip
    if len(shape) != 2 or min(shape) < 1:
        raise _refused(name, "two dimensions, rows and vectors", f"the shape {shape}", _REMEDY)
    if fortran_order:
        raise _refused(name, "C order", "Fortran order, in which no row is in one piece",
                       _REMEDY + " from np.ascontiguousarray(array)")  # fmt: skip
    rows, dim = map(int, shape)
    array = StoredArray(_FORMAT, rows, dim, dtype.str, file.tell(), 0)
    end = array.start + rows * array.row_bytes
    if size is not None and size != end:
        raise damaged(
            name,
            f"byte {min(size, end)}",
            expected=f"the end at byte {end}, behind {rows} rows of {dim} x {dtype}",
            found=f"{size} bytes",
            remedy="the file was cut off or damaged: get it again",
        )
    return array


def _read_header(file: io.BytesIO, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(file)
        with warnings.catch_warnings():
            # NumPy warns of the integers that it wrote in Python 2, and reads them.
            warnings.simplefilter("ignore")
            if version == (1, 0):
                return np.lib.format.read_array_header_1_0(file)
            if version in ((2, 0), (3, 0)):
                # 3.0 differs only in the encoding of the names of fields, which an array of
                # floats does not have.
                return np.lib.format.read_array_header_2_0(file)
        raise ValueError(f"version {version[0]}.{version[1]}")
    except _HEADER_ERRORS as error:
        raise damaged(
            name, "byte 0", expected="a .npy header of version 1.0, 2.0 or 3.0",
            found=str(error) or type(error).__name__, remedy=_REMEDY,
        ) from error  # fmt: skip


def _refused(name: str, expected: str, found: str, remedy: str) -> DataError:
    return damaged(name, "header", expected=expected, found=found, remedy=remedy)
