"""Files that keep tokens apart from vectors, from their names to the vectors of a vocabulary."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
import safetensors.numpy
from gensim.models import KeyedVectors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats.errors import DataError, UsageError
from formats.vectors.parse_vectors import parse_vectors
from formats.vectors.proof import judge
from formats.vectors.records import RangeReport
from formats.vectors.source import (
    VectorSource,
    bytes_of,
    cut_ranges,
    open_source,
    read_range,
    whole_range,
)
from formats.vectors.tokens import first_tokens
from tests.formats.vectors import table_files as files
from tests.formats.vectors.vector_files import found_in

TOKENS = [
    "the", "a b", "\x85", "\u00a0", "\u2028x", "\u3000", " ", "", "film", "the", "fun"
]  # fmt: skip
MATRIX = np.random.default_rng(8).normal(size=(11, 3)).astype(np.float32)
UNIQUE = [*TOKENS[:9], "once more", *TOKENS[10:]]
ENCODED = [token.encode() for token in TOKENS]


def open_file(uri: str) -> io.BufferedReader:
    return open(uri, "rb")


def put_npy(folder: Path, name: str = "matrix.npy") -> str:
    (folder / name).write_bytes(files.npy(MATRIX))
    (folder / "matrix.txt").write_bytes(files.vocabulary_text(ENCODED))
    return str(folder / name)


def put_safetensors(folder: Path) -> str:
    safetensors.numpy.save_file({"v": MATRIX}, folder / "matrix.safetensors")
    (folder / "words").write_bytes(files.vocabulary_text(ENCODED, b"\r\n", last_end=False))
    return f"{folder / 'matrix.safetensors'}?tokens={folder / 'words'}"


def put_parquet(folder: Path) -> str:
    (folder / "table").write_bytes(
        files.parquet_bytes(files.table(TOKENS, MATRIX), row_group_size=4)
    )
    return str(folder / "table")


def put_arrow(folder: Path, in_file: bool = True) -> str:
    rows = files.table(TOKENS, MATRIX, fixed=False)
    (folder / "table").write_bytes(files.arrow_bytes(rows, 4, in_file=in_file))
    return str(folder / "table")


def put_stream(folder: Path) -> str:
    return put_arrow(folder, in_file=False)


def put_keyed(folder: Path) -> str:
    keyed = KeyedVectors(3)
    keyed.add_vectors(UNIQUE, MATRIX)
    keyed.save(str(folder / "vectors.kv"))
    return str(folder / "vectors.kv")


def put_packed(folder: Path) -> str:
    path = Path(put_npy(folder))
    (folder / "matrix.npy.gz").write_bytes(gzip.compress(path.read_bytes()))
    return f"{path}.gz"


def put_zipped(folder: Path) -> str:
    path = Path(put_npy(folder))
    with zipfile.ZipFile(folder / "matrix.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "deep/m.npy")
        archive.writestr("README", "x")
    return f"{folder / 'matrix.zip'}#m.npy"


class Written(NamedTuple):
    put: Any
    format: str
    tokens: list[str] = TOKENS


WRITTEN = {
    "npy": Written(put_npy, "NumPy .npy"),
    "npy in gzip": Written(put_packed, "NumPy .npy"),
    "npy in zip": Written(put_zipped, "NumPy .npy"),
    "safetensors": Written(put_safetensors, "safetensors"),
    "Parquet": Written(put_parquet, "Parquet"),
    "Arrow file": Written(put_arrow, "Arrow IPC file"),
    "Arrow stream": Written(put_stream, "Arrow IPC stream"),
    "KeyedVectors": Written(put_keyed, "gensim KeyedVectors", UNIQUE),
}


def opened(spec: str, *, allow_pickle: bool = True) -> VectorSource:
    path = Path(spec.partition("?")[0].partition("#")[0])
    size = path.stat().st_size
    return open_source(0, spec, size, open_file, allow_pickle=allow_pickle)


def found(source: VectorSource, wanted: Sequence[str], range_bytes: int) -> dict[int, bytes]:
    """The vectors of the wanted tokens' rows, by their positions; all rows are counted."""
    forms = {token.encode(): number for number, token in enumerate(wanted)}
    vectors: dict[int, bytes] = {}
    reports: list[RangeReport] = []
    for work in cut_ranges(source, range_bytes):
        for block in read_range(source, work, open_file):
            if isinstance(block, RangeReport):
                reports.append(block)
                continue
            assert 0 <= bytes_of(source, block) <= source.size
            hits = found_in(block, forms)
            parsed = parse_vectors(hits, source.layout.kind, source.layout.dim)
            positions = hits.column("position").to_pylist()
            vectors |= zip(positions, map(bytes, parsed.vectors), strict=True)
    verdict = judge(reports, source.layout, None, source.name)
    assert (verdict.rows, verdict.warnings, verdict.problem) == (len(MATRIX), [], None)
    return vectors


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("range_bytes", [1, 40, 1 << 20])
def test_the_rows_of_wanted_tokens_are_found(kind: str, range_bytes: int, tmp_path: Path) -> None:
    written = WRITTEN[kind]
    source = opened(written.put(tmp_path))
    assert source.layout.format == written.format
    assert source.layout.dim == 3
    everything = {row: MATRIX[row].tobytes() for row in range(11)}
    assert found(source, written.tokens, range_bytes) == everything
    assert found(source, ["film", "", "nothing"], range_bytes) == {
        row: MATRIX[row].tobytes() for row in (7, 8)
    }
    assert found(source, [], range_bytes) == {}


@pytest.mark.parametrize("kind", WRITTEN)
def test_the_first_tokens_are_taken_in_order(kind: str, tmp_path: Path) -> None:
    source = opened(WRITTEN[kind].put(tmp_path))
    ninth = "once more" if kind == "KeyedVectors" else "fun"
    assert first_tokens([source], 9, open_file) == [*TOKENS[:7], "film", ninth]


@pytest.mark.parametrize("kind", WRITTEN)
def test_ranges_are_many_or_one(kind: str, tmp_path: Path) -> None:
    source = opened(WRITTEN[kind].put(tmp_path))
    ranges = {"npy": 11, "safetensors": 11, "Parquet": 3, "Arrow file": 3}.get(kind, 1)
    assert len(cut_ranges(source, 1)) == ranges
    [*_, report] = read_range(source, whole_range(source), open_file)
    assert isinstance(report, RangeReport)
    assert (report.rows, report.last_token) == (11, b"fun")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tokens=st.lists(files.utf8_tokens.filter(lambda t: "\n" not in t and t[-1:] != "\r"),
                    min_size=1, max_size=15, unique=True),
    dim=st.integers(1, 4),
    seed=st.integers(0, 99),
    range_bytes=st.integers(1, 100),
)  # fmt: skip
def test_a_table_is_the_same_in_all_formats(
    tmp_path: Path, tokens: list[str], dim: int, seed: int, range_bytes: int
) -> None:
    matrix = np.random.default_rng(seed).normal(size=(len(tokens), dim)).astype(np.float32)
    rows = files.table(tokens, matrix)
    text = tmp_path / "words"
    text.write_bytes(files.vocabulary_text([token.encode() for token in tokens]))
    data = {
        f"npy?tokens={text}": files.npy(matrix),
        f"safetensors?tokens={text}": safetensors.numpy.save({"m": matrix}),
        "parquet": files.parquet_bytes(rows, row_group_size=3),
        "arrow": files.arrow_bytes(rows, 3),
        "stream": files.arrow_bytes(rows, 3, in_file=False),
    }
    # What a text in another encoding starts with is refused.
    if tokens[0].startswith("\ufeff"):
        return
    for name, whole in data.items():
        (tmp_path / name.partition("?")[0]).write_bytes(whole)
        source = opened(str(tmp_path / name))
        back = []
        for work in cut_ranges(source, range_bytes):
            for block in read_range(source, work, open_file):
                if not isinstance(block, RangeReport):
                    back += zip(block.tokens, block.written(range(len(block.tokens))), strict=True)
        assert [token.decode() for token, _ in back] == tokens
        assert b"".join(vector for _, vector in back) == matrix.tobytes()


def test_the_sibling_of_an_array_is_its_vocabulary(tmp_path: Path) -> None:
    for name in ("matrix.npy", "matrix", "matrix.gz", "matrix.npy.gz"):
        assert opened(put_npy(tmp_path, name)).layout.rows == 11
    with pytest.raises(UsageError) as caught:
        opened(put_npy(tmp_path, "other.npy"))
    assert str(caught.value) == (
        f"--vectors {tmp_path}/other.npy: an array holds no words, and there is no "
        f"{tmp_path}/other.txt; give its vocabulary, one token a line, as "
        f"{tmp_path}/other.npy?tokens=PATH"
    )
    with pytest.raises(UsageError, match=r"there is no .*/own\.txt; give"):
        opened(put_npy(tmp_path, "own.txt"))


def test_a_tensor_and_columns_are_named(tmp_path: Path) -> None:
    spec = put_safetensors(tmp_path)
    safetensors.numpy.save_file({"a": MATRIX, "b": -MATRIX}, tmp_path / "matrix.safetensors")
    source = opened(f"{spec}&tensor=b")
    assert found(source, ["film"], 1) == {8: (-MATRIX[8]).tobytes()}
    with pytest.raises(UsageError, match=r"name one of its tensors as \?tensor=NAME"):
        opened(spec)
    rows = files.table(TOKENS, MATRIX)
    twice = pa.table({"w": rows["word"], "x": rows["word"], "v": rows["embedding"]})
    for data in (files.parquet_bytes(twice), files.arrow_bytes(twice)):
        (tmp_path / "table").write_bytes(data)
        source = opened(f"{tmp_path / 'table'}?token_column=x")
        assert found(source, ["film"], 1) == {8: MATRIX[8].tobytes()}
        with pytest.raises(UsageError, match=r"name the column as \?token_column=NAME"):
            opened(str(tmp_path / "table"))


@pytest.mark.parametrize(
    ("put", "option", "says"),
    [
        (put_npy, "tensor=a", "tensor= is for safetensors files, and the file is a NumPy .npy arr"),
        (put_npy, "token_column=a", "token_column= is for Parquet and Arrow files, and the file"),
        (put_parquet, "tokens=a", "tokens= is for .npy and safetensors files, and the file is a P"),
        (put_arrow, "tokens=a", "tokens= is for .npy and safetensors files, .* an Arrow IPC file"),
        (put_stream, "tensor=a", "tensor= is for safetensors files, .* an Arrow IPC stream"),
        (put_keyed, "tokens=a", "tokens= is for .npy and safetensors files, and the file is a pic"),
    ],
)
def test_an_option_of_another_kind_of_file_is_refused(
    put: Any, option: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=says):
        opened(f"{put(tmp_path)}?{option}")


def test_an_option_of_a_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_text("the 0.1 0.2\n")
    with pytest.raises(UsageError, match=r"tokens= is for .*, and the file is GloVe text"):
        opened(f"{tmp_path / 'glove.txt'}?tokens=x")


@pytest.mark.parametrize("put", [put_parquet, put_arrow, put_stream, put_keyed])
def test_what_is_read_from_its_end_is_not_read_packed(put: Any, tmp_path: Path) -> None:
    path = Path(put(tmp_path))
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(DataError, match=r"packed\.gz: .* can't be read from .* unpack it first"):
        opened(str(packed))


def test_a_pickle_is_loaded_only_if_that_is_allowed(tmp_path: Path) -> None:
    class Trace:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "unpickled",))

    path = tmp_path / "vectors.kv"
    path.write_bytes(pickle.dumps(Trace()))
    with pytest.raises(DataError) as caught:
        opened(str(path), allow_pickle=False)
    message = str(caught.value)
    assert message.startswith(f"{path}: a Python pickle, ")
    assert "--allow_pickle" in message
    assert "save_word2vec_format" in message
    assert not (tmp_path / "unpickled").exists()
    with pytest.raises(DataError, match="can't be loaded as gensim saved it"):
        opened(str(path), allow_pickle=True)
    assert (tmp_path / "unpickled").exists()


def damage(spec: str) -> str:
    with pytest.raises(DataError) as caught:
        found(opened(spec), TOKENS, 1)
    return str(caught.value)


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_file_cut_anywhere_is_damage(kind: str, tmp_path: Path) -> None:
    spec = WRITTEN[kind].put(tmp_path)
    path = Path(spec.partition("?")[0].partition("#")[0])
    whole = path.read_bytes()
    last = len(whole) - (8 if kind == "Arrow stream" else 0)
    # An archive shows by its first four bytes that it is one.
    for size in range(4 if kind == "npy in zip" else 0, last, 17):
        path.write_bytes(whole[:size])
        try:
            source = opened(spec)
            rows = sum(
                len(block.written(range(len(block.tokens))))
                for work in cut_ranges(source, 1)
                for block in read_range(source, work, open_file)
                if not isinstance(block, RangeReport)
            )
        except DataError as error:
            message = str(error)
        else:
            # A stream that ends behind a batch can't be told from a whole one.
            assert kind == "Arrow stream"
            assert rows in (4, 8)
            continue
        assert message.startswith(str(path))


def test_a_web_page_is_named_whatever_it_is_called(tmp_path: Path) -> None:
    page = b"<!DOCTYPE html><html>Not found</html>\n" * 9
    for name in ("matrix.npy", "m.safetensors", "t.parquet", "t.arrow", "v.kv"):
        (tmp_path / name).write_bytes(page)
        (tmp_path / "w").write_bytes(page)
        for option in ("", f"?tokens={tmp_path / 'w'}"):
            assert "byte 0: expected a vector file, found an HTML page" in damage(
                f"{tmp_path / name}{option}"
            )
    (tmp_path / "matrix.npy").write_bytes(files.npy(MATRIX))
    assert "expected 11 lines, a token for each row of" in damage(
        f"{tmp_path / 'matrix.npy'}?tokens={tmp_path / 'w'}"
    )


@pytest.mark.parametrize("kind", WRITTEN)
def test_rows_that_are_not_finite_are_rejected(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = MATRIX.copy()
    broken[8, 1], broken[10, 0] = np.nan, np.inf
    monkeypatch.setitem(globals(), "MATRIX", broken)
    source = opened(WRITTEN[kind].put(tmp_path))
    rejected = []
    for block in read_range(source, whole_range(source), open_file):
        if not isinstance(block, RangeReport):
            hits = found_in(block, {b"film": 0, b"fun": 1, b"the": 2})
            parsed = parse_vectors(hits, source.layout.kind, 3)
            rejected += [hits.column("position")[index].as_py() for index, _ in parsed.rejected]
    assert rejected == [8, 10]
    assert source.place(8) == "row 9"


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_token_that_is_not_utf8_is_named_with_its_row(kind: str, tmp_path: Path) -> None:
    source = opened(WRITTEN[kind].put(tmp_path))
    [block, *_] = read_range(source, whole_range(source), open_file)
    assert not isinstance(block, RangeReport)
    broken = block._replace(tokens=[block.tokens[0], b"\xff", *block.tokens[2:]])
    with pytest.raises(DataError, match=r"^file: row 2: expected a token in UTF-8, found b'.xff'"):
        found_in(broken, {}, unicode_errors="strict", name="file")
