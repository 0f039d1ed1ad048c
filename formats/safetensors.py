r"""safetensors: a JSON header that says where each tensor lies, then the bytes of the tensors.

8 bytes, the length of the header as a little-endian unsigned integer; the header, UTF-8 that
starts with ``{`` and may be padded with spaces; then the data. The header is an object of
``NAME: {"dtype": ..., "shape": [...], "data_offsets": [BEGIN, END]}``, with offsets from the end
of the header, and may have ``__metadata__``, an object of strings. Tensors are little-endian and
in C order, and fill the data without a gap or an overlap
(https://github.com/huggingface/safetensors#format).

Files are read as streams, so that any file system will do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from formats.errors import DataError, damaged

FLOAT16, BFLOAT16, FLOAT32, FLOAT64 = "F16", "BF16", "F32", "F64"

# As the reference implementation.
MAX_HEADER_BYTES = 100_000_000

_LENGTH_BYTES = 8
_END_OF_SIZES = 1 << 64
_METADATA = "__metadata__"
_ITEM_BYTES = {
    FLOAT64: 8, FLOAT32: 4, FLOAT16: 2, BFLOAT16: 2,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1,
    "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip
_DTYPES = {"<f2": FLOAT16, "<f4": FLOAT32}
_REMEDY = "the file is damaged or was cut off: get it again"


class Tensor(NamedTuple):
    """One tensor of a file.

    Attributes:
        dtype: safetensors' name of it, such as ``F32``.
        shape: its dimensions.
        start: its first byte in the file.
        stop: the first byte behind it.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def is_safetensors(head: bytes) -> bool:
    """Whether a file starts as a safetensors file does, whatever the header's length."""
    return head[4:_LENGTH_BYTES] == bytes(4) and head[_LENGTH_BYTES:][:1] == b"{"


def write_tensor(file: BinaryIO, tensor: str, values: npt.NDArray[Any]) -> None:
    """Writes a file of one tensor.

    Args:
        file: writable binary file.
        tensor: its name.
        values: float32 or float16, of any byte order.
    """
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    entry = {
        "dtype": _DTYPES[values.dtype.str],
        "shape": list(values.shape),
        "data_offsets": [0, values.nbytes],
    }
    header = json.dumps({tensor: entry}, separators=(",", ":"), ensure_ascii=False).encode()
    # So that the data is aligned when the file is mapped into memory.
    header += b" " * (-len(header) % _LENGTH_BYTES)
    file.write(len(header).to_bytes(_LENGTH_BYTES, "little") + header)
    if values.size:
        file.write(values.data.cast("B"))


def read_header(
    file: BinaryIO, size: int | None, name: str, remedy: str = _REMEDY
) -> dict[str, Tensor]:
    """Reads where the tensors of a file are.

    Args:
        file: binary stream at its first byte; it is left behind the header.
        size: bytes of the file; None where that is not known.
        name: what messages call the file.
        remedy: what messages tell the user to do.

    Returns:
        The tensors by their names, in the order of their data.

    Raises:
        DataError: the file breaks the format.
    """
    head = file.read(_LENGTH_BYTES)
    length = int.from_bytes(head, "little")
    limit = MAX_HEADER_BYTES if size is None else min(MAX_HEADER_BYTES, size - _LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES or not 2 <= length <= limit:
        found = f"{length} bytes" if len(head) == _LENGTH_BYTES else f"{len(head)} bytes"
        raise damaged(name, "byte 0", expected=f"the length of a header, 2 to {max(limit, 2)}",
                      found=found, remedy=remedy)  # fmt: skip
    text = file.read(length)
    try:
        if len(text) < length:
            raise ValueError(f"the end of the file after {len(text)} of {length} bytes")
        if not text.startswith(b"{"):
            raise ValueError(f"{text[:20]!r}")
        header = json.loads(text.decode(), object_pairs_hook=_object, parse_constant=_refuse)
        tensors = _tensors(header, _LENGTH_BYTES + length)
    except (ValueError, RecursionError) as error:
        raise _damaged_header(name, str(error), remedy) from error
    end = max([tensor.stop for tensor in tensors.values()], default=_LENGTH_BYTES + length)
    if size is not None and size != end:
        raise damaged(name, f"byte {min(size, end)}", expected=f"the end at byte {end}",
                      found=f"{size} bytes", remedy=remedy)  # fmt: skip
    return tensors


def _tensors(header: Mapping[str, Any], data_start: int) -> dict[str, Tensor]:
    metadata = header.get(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError(f"{_METADATA} that is no object of strings")
    tensors = {
        name: _tensor(name, entry, data_start)
        for name, entry in header.items()
        if name != _METADATA
    }
    ordered = sorted(tensors.items(), key=lambda item: item[1][2:])
    stops = [data_start, *(tensor.stop for _, tensor in ordered)]
    for (name, tensor), stop in zip(ordered, stops, strict=False):
        if tensor.start != stop:
            kind = "a gap before" if tensor.start > stop else "an overlap at"
            raise ValueError(f"{kind} tensor {name!r}, byte {tensor.start}")
    return dict(ordered)


def _tensor(name: str, entry: Any, data_start: int) -> Tensor:
    if not isinstance(entry, dict) or not entry.keys() >= {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name!r} without dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or not _are_sizes(shape) or not _are_sizes(offsets):
        raise ValueError(f"tensor {name!r} of {dtype!r} and {shape!r} at {offsets!r}")
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"tensor {name!r} at {offsets!r}")
    size = _ITEM_BYTES.get(dtype, 0)
    for length in shape:
        size *= length
        # As the reference implementation; and the product of a long list would take hours.
        if size >= _END_OF_SIZES:
            raise ValueError(f"tensor {name!r} of a size beyond 64 bits")
    if dtype in _ITEM_BYTES and offsets[1] - offsets[0] != size:
        raise ValueError(f"tensor {name!r} of {size} bytes in {offsets[1] - offsets[0]}")
    return Tensor(dtype, tuple(shape), data_start + offsets[0], data_start + offsets[1])


def _are_sizes(values: Any) -> bool:
    # Not isinstance of the items: true is no integer here.
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"{name!r} twice")
        values[name] = value
    return values


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant}, which is no JSON number")


def _damaged_header(name: str, found: str, remedy: str) -> DataError:
    if len(found) > 200:
        found = f"{found[:200]}..."
    return damaged(
        name, "header, byte 8", expected="a safetensors header", found=found, remedy=remedy
    )
