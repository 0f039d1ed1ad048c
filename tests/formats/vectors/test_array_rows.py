"""Vectors in .npy and safetensors with a vocabulary text, against NumPy and the reference."""

from __future__ import annotations

import functools
import io
import operator
import pickle
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from formats.errors import DataError, UsageError
from formats.vectors import vocabulary_text
from formats.vectors.array_rows import (
    BFLOAT16,
    ArrayLayout,
    RowRange,
    StoredArray,
    cut_rows,
    join_tokens,
    read_array_rows,
)
from formats.vectors.npy import find_array as find_npy
from formats.vectors.safetensors_file import find_array as find_tensor
from tests.formats.vectors import table_files as files
from tests.formats.vectors.table_files import Back, Opened, SeeksAndCounts, read_back, text_tokens

TOKENS = [b"w%d" % row for row in range(40)]
MATRIX = np.random.default_rng(5).normal(size=(40, 6)).astype(np.float32)
NPY = files.npy(MATRIX)


def npy_layout(data: bytes, text: bytes) -> ArrayLayout:
    array = find_npy(data[: 1 << 20], len(data), "m.npy")
    return join_tokens(array, "m.txt", Opened({"m.txt": text}), "m.npy")


def read(
    data: bytes,
    layout: ArrayLayout,
    text: bytes,
    *,
    range_bytes: int = 1 << 30,
    block_bytes: int = 1 << 20,
    wanted: Any = None,
) -> list[Back]:
    """What each range of a file gives."""
    return [
        read_back(
            read_array_rows(
                io.BytesIO(data), layout, work, Opened({"m.txt": text}), name="m.npy",
                block_bytes=block_bytes,
            ),
            wanted,
        )
        for work in cut_rows(layout, range_bytes)
    ]  # fmt: skip


def joined(ranges: list[Back]) -> Back:
    return Back(*(functools.reduce(operator.add, part) for part in zip(*ranges, strict=True)))


def singles(values: Any) -> bytes:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(values).astype(np.float32).tobytes()


@settings(deadline=None)
@given(
    values=arrays.arrays(
        st.sampled_from(["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]),
        st.tuples(st.integers(1, 30), st.integers(1, 5)),
    ),
    version=st.sampled_from([(1, 0), (2, 0), (3, 0)]),
    line_end=st.sampled_from([b"\n", b"\r\n"]),
    range_bytes=st.integers(1, 300),
    block_bytes=st.integers(1, 200),
    data=st.data(),
)
def test_any_array_is_read_back(
    values: Any, version: Any, line_end: bytes, range_bytes: int, block_bytes: int, data: Any
) -> None:
    rows = len(values)
    tokens = data.draw(st.lists(text_tokens, min_size=rows, max_size=rows))
    # What text in another encoding and packed text start with is refused.
    assume(not tokens[0].startswith((b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"\xef\xbb\xbf")))
    last_end = tokens[-1] == b"" or data.draw(st.booleans())
    text = files.vocabulary_text(tokens, line_end, last_end)
    whole = files.npy(values, version)
    layout = npy_layout(whole, text)
    assert (layout.format, layout.kind) == ("NumPy .npy", "array")
    assert (layout.rows, layout.dim) == values.shape
    ranges = read(whole, layout, text, range_bytes=range_bytes, block_bytes=block_bytes)
    back = joined(ranges)
    assert back.tokens == tokens
    assert back.positions == list(range(rows))
    assert back.vectors == singles(values)
    wanted = data.draw(st.lists(st.sampled_from(tokens), max_size=4))
    found = joined(read(whole, layout, text, range_bytes=range_bytes, wanted=wanted))
    chosen = [row for row, token in enumerate(tokens) if token in wanted]
    assert found.positions == chosen
    assert found.vectors == singles(values[chosen])


@settings(deadline=None)
@given(
    values=arrays.arrays(
        st.sampled_from([np.float16, np.float32, np.float64]),
        st.tuples(st.integers(1, 12), st.integers(1, 5)),
    ),
    more=st.dictionaries(st.sampled_from("axyz"), st.integers(1, 9), max_size=3),
    block_bytes=st.integers(1, 200),
)
def test_any_tensor_is_read_back(values: Any, more: dict[str, int], block_bytes: int) -> None:
    others = {name: np.arange(size) for name, size in more.items()}
    whole = safetensors.numpy.save({"vectors": values, **others})
    array = find_tensor(io.BytesIO(whole), len(whole), None, name="m", spec="m")
    tokens = [b"%d" % row for row in range(len(values))]
    text = files.vocabulary_text(tokens)
    layout = join_tokens(array, "m.txt", Opened({"m.txt": text}), "m")
    back = joined(read(whole, layout, text, block_bytes=block_bytes, range_bytes=50))
    assert (back.tokens, back.vectors) == (tokens, singles(values))
    # A stream that can't seek is read to its end.
    stream = SeeksAndCounts(whole, seekable=False)
    rows = read_array_rows(
        stream, layout, RowRange(0, layout.rows, 0), Opened({"m.txt": text}), name="m",
        block_bytes=block_bytes,
    )  # fmt: skip
    assert read_back(rows).vectors == singles(values)
    assert stream.bytes_read == len(whole)


def test_bfloat16_widens_exactly() -> None:
    # 1.0, -2.5, the smallest subnormal and the largest finite.
    upper = np.array([[0x3F80, 0xC020], [0x0001, 0x7F7F]], "<u2")
    header = b'{"v":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}}'
    whole = len(header).to_bytes(8, "little") + header + upper.tobytes()
    array = find_tensor(io.BytesIO(whole), len(whole), None, name="m", spec="m")
    assert array == StoredArray("safetensors", 2, 2, BFLOAT16, 8 + len(header), 0)
    layout = join_tokens(array, "m.txt", Opened({"m.txt": b"a\nb\n"}), "m")
    back = joined(read(whole, layout, b"a\nb\n"))
    expected = [[1.0, -2.5], [2.0**-133, 3.3895313892515355e38]]
    assert back.vectors == np.array(expected, np.float32).tobytes()


def test_floats_that_nobody_asked_for_are_not_read() -> None:
    text = files.vocabulary_text(TOKENS)
    layout = npy_layout(NPY, text)
    for wanted, bytes_read in [([], 0), ([b"w3"], 48), ([b"w3", b"w39"], 96)]:
        stream = SeeksAndCounts(NPY)
        rows = read_array_rows(
            stream, layout, RowRange(0, 40, 0), Opened({"m.txt": text}), name="m", block_bytes=48
        )
        assert read_back(rows, wanted).tokens == TOKENS
        assert stream.bytes_read == bytes_read


@pytest.mark.parametrize(("rows", "marks"), [(1, 1), (4, 4), (5, 3), (8, 4), (9, 3), (1000, 4)])
@pytest.mark.parametrize("read_bytes", [1, 7, 1 << 20])
def test_marks_are_where_lines_start(
    rows: int, marks: int, read_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocabulary_text, "_MARKS", 4)
    monkeypatch.setattr(vocabulary_text, "_READ_BYTES", read_bytes)
    tokens = [b"%d" % row for row in range(rows)]
    text = files.vocabulary_text(tokens, b"\r\n")
    found = vocabulary_text.mark_lines(io.BytesIO(text), rows, "m.txt", "m.npy")
    assert len(found.offsets) == marks
    for number, offset in enumerate(found.offsets):
        line = text[offset:].partition(b"\r\n")[0]
        assert line == b"%d" % (number * found.every)


def test_ranges_are_of_about_so_many_bytes() -> None:
    layout = npy_layout(NPY, files.vocabulary_text(TOKENS))
    assert cut_rows(layout, 24 * 15) == [
        RowRange(0, 15, 0),
        RowRange(15, 30, 10 * 3 + 5 * 4),
        RowRange(30, 40, 10 * 3 + 20 * 4),
    ]
    assert len(cut_rows(layout, 1)) == 40


def failure(data: bytes, text: bytes = files.vocabulary_text(TOKENS)) -> str:
    with pytest.raises(DataError) as caught:
        read(data, npy_layout(data, text), text)
    message = str(caught.value)
    assert "expected " in message
    assert "found " in message
    return message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "m.txt: line 1: expected 40 lines, a token for each row of m.npy, found 0; give the"),
        (files.vocabulary_text(TOKENS[:-1]), "m.txt: line 40: expected 40 lines, .* found 39; "),
        (files.vocabulary_text([*TOKENS, b""]), "m.txt: line 41: expected 40 lines, .* found 41"),
        (b"\xef\xbb\xbf" + files.vocabulary_text(TOKENS), "m.txt: byte 0: .* a byte order mark"),
        (b"\xff\xfe" + files.vocabulary_text(TOKENS), "m.txt: byte 0: .* text in UTF-16"),
        (b"\x1f\x8b" + files.vocabulary_text(TOKENS), "m.txt: byte 0: .* a gzip file; unpack it"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_named(text: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        npy_layout(NPY, text)


def test_a_vocabulary_that_changed_since_is_named() -> None:
    layout = npy_layout(NPY, files.vocabulary_text(TOKENS))
    with pytest.raises(DataError, match=r"m\.txt: line 40: expected a token for each of the 40"):
        read(NPY, layout, files.vocabulary_text(TOKENS[:-1]))


def test_a_line_without_an_end_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary_text, "_MAX_LINE_BYTES", 10)
    tokens = vocabulary_text.read_tokens(io.BytesIO(b"a\n" + b"b" * 11), 1, "m.txt")
    with pytest.raises(DataError, match=r"m\.txt: the line behind b'bbb.*11 bytes without an end"):
        list(tokens)


def saved(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


OBJECTS = np.array([[{}, 1.0]])
UNREADABLE = {
    "objects": (saved(OBJECTS, allow_pickle=True), "header: expected floats, found Python obj"),
    "a field of objects": (
        saved(np.zeros((2, 2), [("a", "O")]), allow_pickle=True),
        "header: expected floats, found Python objects",
    ),
    "integers": (saved(np.ones((2, 2), int)), "header: expected float16, .* found int64; .*astype"),
    "complex": (saved(MATRIX.astype(complex)), "header: expected float16, .* found complex128"),
    "longdouble": (saved(MATRIX.astype(np.longdouble)), "header: expected float16, float32 or"),
    "strings": (saved(np.array([["a"]])), "header: expected float16, float32 or float64, found <U"),
    "one dimension": (saved(MATRIX[0]), r"expected two dimensions.*found the shape \(6,\)"),
    "no dimension": (saved(MATRIX[0, 0]), r"expected two dimensions.*found the shape \(\)"),
    "no rows": (saved(MATRIX[:0]), r"found the shape \(0, 6\)"),
    "Fortran order": (saved(np.asfortranarray(MATRIX)), "in which .*; .* np.ascontiguousarray"),
    "a byte too few": (NPY[:-1], "byte 1087: expected the end at byte 1088, behind 40 rows of 6 x"),
    "a byte too many": (NPY + b"\n", "byte 1088: expected the end at byte 1088, .* found 1089"),
    "more rows": (NPY.replace(b"(40, 6)", b"(41, 6)"), "byte 1088: expected the end at byte 1112"),
    "a negative shape": (NPY.replace(b"(40, 6)", b"(-4, 6)"), r"found the shape \(-4, 6\)"),
    "a huge shape": (NPY.replace(b"(40, 6), }  ", b"(4, 10**9)} "), "byte 0: expected a .npy"),
    "no header": (NPY[:8], "byte 0: expected a .npy header of version 1.0, 2.0 or 3.0, found EOF"),
    "a version to come": (b"\x93NUMPY\x04\x00" + NPY[8:], "byte 0: .*found version 4.0"),
    "a header that calls": (NPY.replace(b"'<f4'", b"open( )"), "byte 0: expected a .npy header"),
    "no Python": (NPY.replace(b"{'descr'", b"{'descr((((("[:8]), "byte 0: expected a .npy header"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "says"), UNREADABLE.values(), ids=UNREADABLE)
def test_an_array_that_cannot_be_read_is_named(data: bytes, says: str) -> None:
    with pytest.raises(DataError, match=rf"^m\.npy: .*{says}"):
        find_npy(data[: 1 << 20], len(data), "m.npy")


def test_nothing_in_an_array_is_unpickled() -> None:
    class Trace:
        def __reduce__(self) -> tuple[object, ...]:
            return (pytest.fail, ("unpickled",))

    array = np.array([[Trace(), 1.0]])
    data = saved(np.zeros((1, 2), object), allow_pickle=True)
    data = data[: -len(pickle.dumps(np.zeros((1, 2), object)))] + pickle.dumps(array)
    assert "Python objects" in failure(data)


@pytest.mark.parametrize("size", range(0, len(NPY), 9))
def test_an_array_cut_anywhere_is_damage(size: int) -> None:
    assert failure(NPY[:size]).startswith("m.npy: ")


@pytest.mark.parametrize("wanted", [[], TOKENS])
def test_a_stream_that_ends_early_or_late_is_damage(wanted: list[bytes]) -> None:
    text = files.vocabulary_text(TOKENS)
    layout = npy_layout(NPY, text)

    def outcome(data: bytes) -> str:
        rows = read_array_rows(
            SeeksAndCounts(data, seekable=False), layout, RowRange(0, 40, 0),
            Opened({"m.txt": text}), name="m.npy.gz", block_bytes=100,
        )  # fmt: skip
        with pytest.raises(DataError) as caught:
            read_back(rows, wanted)
        return str(caught.value)

    for size in range(128, len(NPY), 50):
        message = outcome(NPY[:size])
        row = min((size - 128) // 24, 39) + 1
        assert message.startswith(f"m.npy.gz: row {row}, byte {size}: expected 40 rows of 24 bytes")
    assert "byte 1088: expected the end of the file, found b'x'" in outcome(NPY + b"x")


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_header_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(NPY)
    for place in data.draw(st.lists(st.integers(0, 127), min_size=1, max_size=4)):
        whole[place] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(b"(){}'\",\\#L\n")))
    try:
        found = find_npy(bytes(whole), len(whole), "m.npy")
    except DataError:
        return
    assert found.start + found.rows * found.row_bytes == len(whole)


MANY = {"a": MATRIX, "b": MATRIX[:4], "bias": MATRIX[0], "ids": np.ones((2, 2), int)}


def tensor(whole: bytes, name: str | None) -> StoredArray:
    return find_tensor(io.BytesIO(whole), len(whole), name, name="m", spec="m?x")


def test_a_tensor_is_chosen_by_its_name() -> None:
    whole = safetensors.numpy.save(MANY)
    assert tensor(whole, "b").rows == 4
    assert tensor(safetensors.numpy.save({"x": MATRIX, "n": MATRIX[0]}), None).rows == 40
    with pytest.raises(UsageError, match=r"--vectors m\?x: name one of its .* \?tensor=NAME; .* a"):
        tensor(whole, None)
    for wrong in ("c", "bias", "ids"):
        with pytest.raises(UsageError, match=rf"tensor={wrong} is no tensor of .*: .*bias F32 \["):
            tensor(whole, wrong)
    with pytest.raises(DataError, match=r"m: header: expected a tensor of F16, .* found ids I64"):
        tensor(safetensors.numpy.save({"ids": MANY["ids"]}), None)
