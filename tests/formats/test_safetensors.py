"""Our safetensors against those of the reference implementation, and headers that are refused."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors import SafetensorError

from formats.errors import DataError
from formats.safetensors import Tensor, is_safetensors, read_header, write_tensor

MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3) / 7


def written(values: Any, tensor: str = "embeddings") -> bytes:
    file = io.BytesIO()
    write_tensor(file, tensor, values)
    return file.getvalue()


def file_of(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(shape: Any, offsets: Any, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def read(data: bytes) -> dict[str, Tensor]:
    return read_header(io.BytesIO(data), len(data), "file")


def test_golden_bytes() -> None:
    header = b'{"embeddings":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'
    assert written(np.array([[0, 0], [1, -2.5]], np.float32)) == (
        b"\x48\x00\x00\x00\x00\x00\x00\x00"
        + header.ljust(72)
        + bytes(8)
        + b"\x00\x00\x80\x3f\x00\x00\x20\xc0"
    )


@given(
    values=arrays.arrays(
        st.sampled_from([np.float32, np.float16]),
        st.tuples(st.integers(0, 9), st.integers(0, 5)),
        elements=st.floats(width=16),
    ),
    tensor=st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
def test_a_tensor_is_written_as_the_reference_does(values: Any, tensor: str) -> None:
    data = written(values, tensor)
    back = safetensors.numpy.load(data)
    assert list(back) == [tensor]
    assert (back[tensor].dtype, back[tensor].shape) == (values.dtype, values.shape)
    assert back[tensor].tobytes() == values.tobytes()
    assert written(np.asfortranarray(values), tensor) == data
    assert written(values.astype(values.dtype.newbyteorder(">")), tensor) == data


def test_the_bytes_are_those_of_the_reference() -> None:
    assert written(MATRIX) == safetensors.numpy.save({"embeddings": MATRIX})


shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)
dtypes = st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.uint64, np.bool_])


@settings(deadline=None)
@given(st.dictionaries(st.text("abc\u00e9 .", max_size=4), st.tuples(shapes, dtypes), max_size=6))
def test_files_of_the_reference_are_read(kinds: dict[str, Any]) -> None:
    tensors = {name: np.ones(shape, dtype) for name, (shape, dtype) in kinds.items()}
    data = safetensors.numpy.save(tensors, {"made by": "a test"})
    assert is_safetensors(data)
    found = read(data)
    assert found.keys() == tensors.keys()
    for name, tensor in found.items():
        assert tensor.shape == tensors[name].shape
        assert data[tensor.start : tensor.stop] == tensors[name].tobytes()
    # Where the size is not known, the same.
    assert read_header(io.BytesIO(data), None, "file") == found


def test_a_dtype_that_is_not_known_has_the_size_that_its_offsets_say() -> None:
    data = file_of({"a": entry([3], [0, 3], "F8_E4M3"), "b": entry([1], [3, 7])}, bytes(7))
    assert read(data)["b"].stop == len(data)


ONE = entry([1], [0, 4])
REFUSED = {
    "nothing": (b"", "byte 0: expected the length of a header.*found 0 bytes"),
    "half a length": (b"\x48\x00\x00", "byte 0: .*found 3 bytes"),
    "a header over the limit": (b"\x01\xe1\xf5\x05\0\0\0\0{", "byte 0: .*found 100000001 bytes"),
    "a huge header": (b"\xff" * 8 + b"{}", "byte 0: .*found 18446744073709551615 bytes"),
    "a header longer than the file": (b"\x0a" + bytes(7) + b"{}", "byte 0: .*2 to 2, found 10"),
    "no object": (file_of(b"[]"), r"header, byte 8: expected a safetensors header, found b'\[\]'"),
    "no JSON": (file_of(b"{not JSON}"), "header, byte 8"),
    "no UTF-8": (file_of(b'{"\xff": 1}'), "header, byte 8: .*utf-8"),
    "nested deeply": (file_of(b'{"a":' + b"[" * 100_000), "header, byte 8"),
    "NaN": (file_of(b'{"a": NaN}'), "NaN, which is no JSON number"),
    "a number of many digits": (file_of(b'{"a": ' + b"9" * 5000 + b"}"), "header, byte 8"),
    "a name twice": (file_of(b'{"a": {}, "a": {}}'), "'a' twice"),
    "a tensor that is no object": (file_of({"a": 3}), "tensor 'a' without dtype"),
    "no dtype": (file_of({"a": {"shape": [1], "data_offsets": [0, 4]}}), "'a' without dtype"),
    "a dtype that is no string": (file_of({"a": entry([1], [0, 4], 4)}, bytes(4)), "'a' of 4"),
    "a negative shape": (file_of({"a": entry([-1], [0, 4])}, bytes(4)), r"of 'F32' and \[-1\]"),
    "true in a shape": (file_of({"a": entry([True], [0, 4])}, bytes(4)), r"and \[True\]"),
    "negative offsets": (file_of({"a": entry([1], [-4, 0])}, bytes(4)), r"at \[-4, 0\]"),
    "offsets backwards": (file_of({"a": entry([1], [4, 0])}, bytes(4)), r"at \[4, 0\]"),
    "three offsets": (file_of({"a": entry([1], [0, 4, 8])}, bytes(4)), r"at \[0, 4, 8\]"),
    "a size that does not fit": (file_of({"a": entry([2], [0, 4])}, bytes(4)), "8 bytes in 4"),
    "a size that overflows": (
        file_of({"a": entry([2**40, 2**40], [0, 4])}, bytes(4)),
        "of a size beyond 64 bits",
    ),
    "an overlap": (
        file_of({"a": ONE, "b": entry([1], [2, 6])}, bytes(6)),
        "an overlap at tensor 'b'",
    ),
    "the same place twice": (file_of({"a": ONE, "b": ONE}, bytes(4)), "an overlap at tensor 'b'"),
    "a gap": (file_of({"a": ONE, "b": entry([1], [8, 12])}, bytes(12)), "a gap before tensor 'b'"),
    "a gap at the start": (file_of({"a": entry([1], [4, 8])}, bytes(8)), "a gap before tensor 'a'"),
    "no object of metadata": (file_of({"__metadata__": [], "a": ONE}, bytes(4)), "__metadata__"),
    "metadata of numbers": (file_of({"__metadata__": {"a": 1}}), "no object of strings"),
    "a byte too few": (written(MATRIX)[:-1], "byte 127: expected the end at byte 128"),
    "a byte too many": (written(MATRIX) + b"\0", "byte 128: expected the end at byte 128, found"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_what_breaks_the_format_is_named(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"^file: .*{message}") as caught:
        read(data)
    assert str(caught.value).endswith("get it again")
    with pytest.raises(SafetensorError):
        safetensors.numpy.load(data)


@pytest.mark.parametrize("size", range(0, len(written(MATRIX))))
def test_a_file_cut_anywhere_is_damage(size: int) -> None:
    with pytest.raises(DataError, match="^file: "):
        read(written(MATRIX)[:size])


@settings(deadline=None)
@given(st.data())
def test_any_header_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(safetensors.numpy.save({"a": MATRIX, "b": MATRIX[0]}))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 65), max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    try:
        tensors = read(bytes(whole))
    except DataError:
        return
    for tensor in tensors.values():
        assert 8 < tensor.start <= tensor.stop <= len(whole)
