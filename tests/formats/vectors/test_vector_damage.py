"""What is no vector file, or no whole one, fails with the file, the place and what to do."""

from __future__ import annotations

import base64
import gzip
import io
import json
import operator
import pickle
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats.errors import DataError
from formats.vectors.layout import find_layout
from formats.vectors.parse_vectors import parse_vectors
from formats.vectors.proof import judge
from formats.vectors.records import RangeReport, Records
from formats.vectors.source import cut_ranges, open_source, read_range, whole_range
from formats.vectors.text_rows import row_number
from tests.formats.vectors.vector_files import Row, binary_file, found_in, rows_of, text_file

TOKENS = [b"w%d" % index for index in range(40)]
MATRIX = np.random.default_rng(3).normal(size=(40, 6)).astype(np.float32)
FIELDS = [[b"%.5f" % value for value in row] for row in MATRIX]
GLOVE = text_file(TOKENS, FIELDS)
WORD2VEC_TEXT = text_file(TOKENS, FIELDS, header=True)
FASTTEXT = text_file(TOKENS, FIELDS, header=True, row_end=b" \n")
WORD2VEC_C = binary_file(TOKENS, MATRIX, newline=True)
GENSIM_BINARY = binary_file(TOKENS, MATRIX, newline=False)
RANGE_BYTES = 500


def open_file(uri: str) -> io.BufferedReader:
    return open(uri, "rb")


class Reading(NamedTuple):
    rows: list[Row]
    warnings: list[str]


def read_file(path: Path) -> Reading:
    """Reads a file in ranges; if the proof of a binary fails, once more in order."""
    source = open_source(0, str(path), path.stat().st_size, open_file)
    problem: DataError | None = None
    for ranges in (cut_ranges(source, RANGE_BYTES), [whole_range(source)]):
        reports: list[RangeReport] = []
        blocks: list[Records] = []
        for work in ranges:
            for part in read_range(source, work, open_file):
                if isinstance(part, RangeReport):
                    reports.append(part)
                else:
                    blocks.append(part)
        size = source.size if ranges[-1].stop != -1 else None
        verdict = judge(reports, source.layout, size, source.name)
        problem = verdict.problem
        if problem is None:
            return Reading(rows_of(blocks), verdict.warnings)
    assert problem is not None
    raise problem


def failure(path: Path, data: bytes) -> str:
    """The message with which a file of these bytes fails."""
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_file(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vectors"


@pytest.mark.parametrize("data", [GLOVE, WORD2VEC_TEXT, FASTTEXT, WORD2VEC_C, GENSIM_BINARY])
@pytest.mark.parametrize("packed", [False, True])
def test_a_whole_file_is_read_without_a_warning(path: Path, data: bytes, packed: bool) -> None:
    path.write_bytes(gzip.compress(data) if packed else data)
    reading = read_file(path)
    assert [row.token for row in reading.rows] == TOKENS
    assert reading.warnings == []


GIT_LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 347116733\n"
NOTEBOOK = json.dumps({"cells": [], "metadata": {}}).encode()
HTML = b"\n<!DOCTYPE html>\n<html><body>Quota exceeded</body></html>\n"
COUNTS = b"the 1061396\nof 593677\nand 416629\n"


class ToPickle:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (open, ("unpickled", "w"))


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


STRANGERS = {
    "nothing": (b"", ["byte 0: expected a vector file, found 0 bytes", "get it again"]),
    "a line end": (b"\n", ["row 1, byte 0: expected a token and its floats", r"found b'\n'"]),
    "HTML": (HTML, ["byte 0: expected a vector file, found an HTML page", "download it again"]),
    "Git LFS": (GIT_LFS, ["byte 0: expected a vector file, found a Git LFS", "git lfs pull"]),
    "notebook": (NOTEBOOK, ["byte 0: expected a vector file, found a Jupyter notebook"]),
    "JSON": (b'{"the": [0.1]}', ["byte 0: expected a vector file, found JSON"]),
    "Feather of version 1": (b"FEA1" + bytes(60), ["byte 0", "a Feather file of version 1"]),
    "raw doubles": (
        MATRIX.astype("<f8").tobytes(),
        ["byte 0: expected a vector file, found binary data", "vectors.bin", "use vectors.txt"],
    ),
    "fastText model": (
        (793712314).to_bytes(4, "little") + bytes(60),
        ["byte 4: expected a fastText model of version 11 or 12, found version 0", "use the .vec"],
    ),
    "DL4J": (zipped({"syn0.txt": b"x", "codes.txt": b""}), ["a DL4J model archive", "export it"]),
    "word counts": (COUNTS, ["row 1, byte 0: expected a token and its floats", "the 1061396"]),
    "prose": (b"It was the best of times,\nit was the worst.\n", ["row 1, byte 0: expected"]),
    "tabs": (GLOVE.replace(b" ", b"\t"), ["row 1, byte 0", "separated by single spaces"]),
    "UTF-16": (b"\xff\xfe" + GLOVE.decode().encode("utf-16-le"), ["in UTF-16; save it as UTF-8"]),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(9), ["byte 0", "a zstd file; unpack it first"]),
    "bzip2": (b"BZh91AY&SY", ["byte 0", "a bzip2 file; unpack it first"]),
    "xz": (b"\xfd7zXZ\0", ["byte 0", "an xz file; unpack it first"]),
    "header of 0 dimensions": (
        b"2 0\na \nb \n",
        ["byte 4: expected 2 rows of 0 dimensions, found a header of 0 dimensions"],
    ),
    "header only": (
        b"400000 300\n",
        ["byte 11: expected 400000 rows of 300 dimensions, found the end of the file"],
    ),
    "header that does not fit": (
        b"2 3\na 0.1 0.2\nb 0.3 0.4\n",
        [
            "row 1, byte 4: expected a token and 3 floats, as the header `2 3` says",
            "found 3 fields",
        ],
    ),
    "decimal commas": (b"1 2\na 0,1 0,2\n", ["row 1, byte 4: expected a token and 2 floats"]),
}


@pytest.mark.parametrize(("data", "says"), STRANGERS.values(), ids=STRANGERS)
def test_what_is_no_vector_file_is_named(path: Path, data: bytes, says: list[str]) -> None:
    message = failure(path, data)
    assert all(part in message for part in says)
    if not data.startswith(b"PK"):
        assert failure(path, gzip.compress(data)) == message


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_not_loaded(path: Path, protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    message = failure(path, pickle.dumps(ToPickle(), protocol))
    assert "a Python pickle, as gensim's save() writes it; loading one runs the code" in message
    assert "only with --allow_pickle" in message
    assert "save_word2vec_format" in message
    assert not (path.parent / "unpickled").exists()


def test_a_real_quantised_model_is_named(shared_data: Path) -> None:
    with pytest.raises(DataError, match=r"lid\.176\.ftz: a quantised fastText model \(\.ftz\)"):
        read_file(shared_data / "vectors" / "lid.176.ftz")


@pytest.mark.parametrize("data", [WORD2VEC_TEXT, FASTTEXT, WORD2VEC_C, GENSIM_BINARY])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_with_a_header_cut_anywhere_is_damage(path: Path, data: bytes, packed: bool) -> None:
    # A text file that was cut inside of its last float can't be told from a whole one.
    stop = len(data) - len(FIELDS[-1][-1]) - 3
    for size in [*range(5, 200), *range(len(data) // 2, stop, 7), *range(stop - 60, stop)]:
        cut = data[:size]
        message = failure(path, gzip.compress(cut) if packed else cut)
        assert "expected" in message
        assert "found" in message
        assert "byte " in message or "row " in message


def test_a_binary_without_its_last_byte_is_damage(path: Path) -> None:
    message = failure(path, GENSIM_BINARY[:-1])
    assert message == (
        f": record 40, byte {len(GENSIM_BINARY) - 28}: expected a token, a space and 24 bytes of "
        "floats, found the end of the file after 27 bytes; the file was cut off or damaged: get it "
        "again"
    )


def test_a_binary_may_miss_its_last_newline_only(path: Path) -> None:
    path.write_bytes(WORD2VEC_C[:-1])
    assert len(read_file(path).rows) == 40


def test_a_row_that_was_cut_names_its_number(path: Path) -> None:
    row = GLOVE.rindex(b"\nw30 ") + 1
    message = failure(path, GLOVE[: row + 20])
    assert message.startswith(
        f": row 31, byte {row}: expected a token and 6 floats, found 2 floats: "
    )
    assert message.endswith("get the file again, or take the row out")


def test_a_cut_inside_of_the_last_float_is_a_warning(path: Path) -> None:
    path.write_bytes(GLOVE[:-3])
    reading = read_file(path)
    assert len(reading.rows) == 40
    assert "the last row has no newline at its end" in reading.warnings[0]
    assert reading.warnings[0].startswith(f"{path}: ")


def with_header(rows: int, data: bytes) -> bytes:
    return b"%d" % rows + data[2:]


@pytest.mark.parametrize("data", [WORD2VEC_TEXT, FASTTEXT])
@pytest.mark.parametrize(("rows", "row"), [(39, 40), (41, 41), (4, 5)])
def test_a_text_header_with_another_count_is_damage(
    path: Path, data: bytes, rows: int, row: int
) -> None:
    message = failure(path, with_header(rows, data))
    assert f": row {row}: expected {rows} rows, as the header says, found 40; " in message


@pytest.mark.parametrize("data", [WORD2VEC_C, GENSIM_BINARY])
@pytest.mark.parametrize("rows", [39, 41, 10, 99])
def test_a_binary_header_with_another_count_is_damage(path: Path, data: bytes, rows: int) -> None:
    message = failure(path, with_header(rows, data))
    assert f"expected {rows} rows, as the header says, found 40; " in message


@pytest.mark.parametrize("dim", [b"5", b"7"])
@pytest.mark.parametrize("data", [WORD2VEC_C, GENSIM_BINARY])
def test_a_binary_header_with_another_dimension_is_damage(
    path: Path, data: bytes, dim: bytes
) -> None:
    assert "expected" in failure(path, b"40 " + dim + data[4:])


def test_the_row_that_glove_does_not_count_is_read(path: Path) -> None:
    data = text_file([*TOKENS[:-1], b"<unk>"], FIELDS, header=True)
    path.write_bytes(with_header(39, data))
    reading = read_file(path)
    assert len(reading.rows) == 40
    assert len(reading.warnings) == 1
    assert "<unk>, which glove.c appends without counting it" in reading.warnings[0]


def changed_row(data: bytes, number: int, new: bytes) -> tuple[bytes, int]:
    """The file with another row in a place, and the byte where it is."""
    lines = data.split(b"\n")
    lines[number] = new
    return b"\n".join(lines), len(b"\n".join([*lines[:number], b""]))


ROW_20 = b" ".join([TOKENS[20], *FIELDS[20]])
BROKEN_ROWS = {
    "too narrow": ROW_20.rpartition(b" ")[0],
    "too wide": ROW_20 + b" 0.5",
    "two rows in one": ROW_20 + b" ".join([TOKENS[21], *FIELDS[21]]),
    "two rows in one with a space": ROW_20 + b" " + b" ".join([TOKENS[21], *FIELDS[21]]),
    "two spaces": ROW_20.replace(b" ", b"  "),
    "empty": b"",
    "blank": b" ",
    "a token alone": b"w20",
    "tabs": ROW_20.replace(b" ", b"\t"),
}


@pytest.mark.parametrize(("data", "line"), [(GLOVE, 20), (WORD2VEC_TEXT, 21), (FASTTEXT, 21)])
@pytest.mark.parametrize("row", BROKEN_ROWS.values(), ids=BROKEN_ROWS)
def test_a_row_of_the_wrong_width_names_its_number(
    path: Path, data: bytes, line: int, row: bytes
) -> None:
    broken, place = changed_row(data, line, row)
    message = failure(path, broken)
    assert message.startswith(f": row 21, byte {place}: expected a token and 6 floats, found ")
    assert "get the file again, or take the row out" in message


@pytest.mark.parametrize("bad", [b"nan", b"inf", b"-Infinity", b"x", b"1_0"])
def test_a_row_of_no_finite_numbers_is_found_and_rejected(path: Path, bad: bytes) -> None:
    row = ROW_20.rpartition(b" ")[0] + b" " + bad
    path.write_bytes(changed_row(GLOVE, 20, row)[0])
    source = open_source(0, str(path), path.stat().st_size, open_file)
    (block, _) = read_range(source, whole_range(source), open_file)
    assert isinstance(block, Records)
    found = found_in(block, {b"w19": 2, b"w20": 3, b"w21": 4})
    parsed = parse_vectors(found, source.layout.kind, source.layout.dim)
    assert parsed.kept.tolist() == [0, 2]
    assert [index for index, _ in parsed.rejected] == [1]


def outcome(path: Path, data: bytes) -> Reading | str:
    path.write_bytes(data)
    try:
        return read_file(path)
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("data", [WORD2VEC_C, GENSIM_BINARY])
def test_a_byte_lost_or_added_in_a_binary_is_damage_or_stays_in_its_record(
    path: Path, data: bytes
) -> None:
    for place in range(10, len(data) - 40, 13):
        for broken in (data[:place] + data[place + 1 :], data[:place] + b"x" + data[place:]):
            found = outcome(path, broken)
            if isinstance(found, str):
                assert found.startswith(f"{path}: ")
                continue
            # What stays in one record can't be seen, but no other may be moved by it.
            vectors = [row.vector for row in found.rows]
            written = [vector.tobytes() for vector in MATRIX]
            assert sum(map(operator.ne, vectors, written)) <= 1
            tokens = [row.token for row in found.rows]
            assert sum(map(operator.ne, tokens, TOKENS)) <= 1
            assert len(found.rows) == 40


def test_a_row_number_is_counted_from_the_first_byte() -> None:
    for data, header in ((GLOVE, 0), (WORD2VEC_TEXT, 5)):
        offset = header
        for number, line in enumerate(data[header:].splitlines(keepends=True), 1):
            assert row_number(io.BytesIO(data), offset, header) == number
            assert row_number(io.BytesIO(data), offset + len(line) - 1, header) == number
            offset += len(line)


@given(
    start=st.sampled_from([b"", b"2 2\n", b"1 1\na ", b"a 0.5 1.5\n", GLOVE, WORD2VEC_C[:70]]),
    rest=st.one_of(st.binary(max_size=80), st.text(" \n0.5ae-", max_size=80).map(str.encode)),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_rows_or_damage(path: Path, start: bytes, rest: bytes) -> None:
    found = outcome(path, start + rest)
    if isinstance(found, str):
        assert found.startswith(str(path))
    else:
        assert found.rows


def test_a_file_saved_as_base64_is_no_vector_file(path: Path) -> None:
    assert "row 1, byte 0: expected" in failure(path, base64.encodebytes(WORD2VEC_C))


def test_a_byte_order_mark_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="byte order mark"):
        find_layout(b"\xef\xbb\xbfthe 0.1 0.2\nof 0.3 0.4\n", "file")
