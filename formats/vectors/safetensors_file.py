"""safetensors (``formats.safetensors``) as vectors without words: one tensor of two dimensions."""

from __future__ import annotations

from typing import BinaryIO

from formats.errors import UsageError, damaged
from formats.safetensors import BFLOAT16 as BF16
from formats.safetensors import FLOAT16, FLOAT32, FLOAT64, Tensor, read_header
from formats.vectors.array_rows import BFLOAT16, StoredArray

_FORMAT = "safetensors"
_DTYPES = {FLOAT16: "<f2", BF16: BFLOAT16, FLOAT32: "<f4", FLOAT64: "<f8"}


def find_array(
    stream: BinaryIO, size: int | None, tensor: str | None, *, name: str, spec: str
) -> StoredArray:
    """Finds the tensor of a file that holds the vectors.

    Args:
        stream: the file, at its first byte.
        size: bytes of the file; None where that is not known.
        tensor: its name; None for the only one that can be it.
        name: what messages call the file.
        spec: the ``--vectors`` by which the user named the file.

    Raises:
        UsageError: several tensors can be it, or the one that is named can't.
        DataError: the file is damaged, or no tensor can be it.
    """
    tensors = read_header(stream, size, name)
    candidates = [key for key, found in tensors.items() if _holds_vectors(found)]
    listing = ", ".join(f"{key} {t.dtype} {list(t.shape)}" for key, t in tensors.items()) or "none"
    if tensor is not None and tensor not in candidates:
        raise UsageError(
            f"--vectors {spec}: tensor={tensor} is no tensor of floats in two dimensions; the file "
            f"holds: {listing}"
        )
    if not candidates:
        raise damaged(
            name,
            "header",
            expected="a tensor of F16, BF16, F32 or F64 in two dimensions, rows and vectors",
            found=listing,
            remedy="give a file that holds word vectors",
        )
    if tensor is None and len(candidates) > 1:
        raise UsageError(
            f"--vectors {spec}: name one of its tensors as ?tensor=NAME; the file holds: {listing}"
        )
    chosen = tensors[tensor or candidates[0]]
    rows, dim = chosen.shape
    end = max(found.stop for found in tensors.values())
    return StoredArray(_FORMAT, rows, dim, _DTYPES[chosen.dtype], chosen.start, end - chosen.stop)


def _holds_vectors(tensor: Tensor) -> bool:
    return tensor.dtype in _DTYPES and len(tensor.shape) == 2 and min(tensor.shape) > 0
