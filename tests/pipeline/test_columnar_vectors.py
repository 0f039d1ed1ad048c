"""Builds from arrays, tables and gensim's own files give what the same vectors as text give."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from gensim.models import KeyedVectors

from formats.errors import DataError, UsageError
from pipeline.main import main
from tests.formats.vectors import table_files as files
from tests.pipeline.built import Dataset
from tests.pipeline.small_corpus import Corpus

# As in tests/pipeline/small_corpus.py; the second row of film is a duplicate.
TOKENS = ["the", "service", "film", "unseen", "bad", "film"]
MATRIX = np.array([[1, 2], [3, 4], [5, 6], [0.1, -1e-3], [7, 8], [9, 9]], np.float32)
TABLE = files.table(TOKENS, MATRIX)
TEXT = files.vocabulary_text([token.encode() for token in TOKENS])


def put_npy(folder: Path, values: Any = MATRIX) -> str:
    (folder / "words.txt").write_bytes(TEXT)
    (folder / "words.npy").write_bytes(files.npy(values))
    return str(folder / "words.npy")


def put_packed(folder: Path) -> str:
    path = Path(put_npy(folder))
    (folder / "words.npy.gz").write_bytes(gzip.compress(path.read_bytes()))
    return f"{path}.gz"


def put_safetensors(folder: Path) -> str:
    (folder / "tokens").write_bytes(TEXT)
    safetensors.numpy.save_file({"a": -MATRIX, "b": MATRIX}, folder / "m.safetensors")
    return f"{folder / 'm.safetensors'}?tokens={folder / 'tokens'}&tensor=b"


def put_parquet(folder: Path) -> str:
    (folder / "t.parquet").write_bytes(files.parquet_bytes(TABLE, row_group_size=2))
    return str(folder / "t.parquet")


def put_arrow(folder: Path) -> str:
    (folder / "t.arrow").write_bytes(files.arrow_bytes(TABLE, 2))
    return str(folder / "t.arrow")


def put_stream(folder: Path) -> str:
    (folder / "t.arrows").write_bytes(files.arrow_bytes(TABLE, 2, in_file=False))
    return str(folder / "t.arrows")


def put_keyed(folder: Path) -> str:
    keyed = KeyedVectors(2)
    keyed.add_vectors(TOKENS[:5], MATRIX[:5])
    keyed.save(str(folder / "words.kv"))
    return str(folder / "words.kv")


PUT = {
    "npy": put_npy,
    "npy in gzip": put_packed,
    "safetensors": put_safetensors,
    "Parquet": put_parquet,
    "Arrow file": put_arrow,
    "Arrow stream": put_stream,
    "KeyedVectors": put_keyed,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def default(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return corpus.build(tmp_path_factory.mktemp("default"), vector_tokens=4)


@pytest.mark.parametrize("put", PUT.values(), ids=PUT)
def test_the_matrix_is_that_of_the_text(
    put: Callable[[Path], str], corpus: Corpus, default: Dataset, tmp_path: Path
) -> None:
    flags = {"vectors": put(tmp_path), "vector_tokens": 4, "allow_pickle": put is put_keyed}
    whole = corpus.build(tmp_path / "whole", **flags)
    assert whole.tokens == default.tokens
    assert whole.matrix.tobytes() == default.matrix.tobytes()
    cut = corpus.build(tmp_path / "cut", range_bytes=9, **flags)
    assert cut.files() == whole.files()
    [found], [text] = (dataset.manifest.inputs.vectors for dataset in (whole, default))
    keyed = put is put_keyed
    assert (found.rows, found.duplicates) == ((5, 0) if keyed else (6, 1))
    assert (found.dim, found.matched) == (text.dim, text.matched)
    assert found.uri == flags["vectors"]
    # Named by the file, without what stands behind it.
    assert list(whole.manifest.coverage.by_source) == [
        Path(flags["vectors"].partition("?")[0]).name
    ]


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4"])
def test_other_floats_are_those_of_numpy(dtype: str, corpus: Corpus, tmp_path: Path) -> None:
    values = (MATRIX / 3).astype(dtype)
    dataset = corpus.build(tmp_path / "out", vectors=put_npy(tmp_path, values))
    for token in ("the", "film", "bad"):
        row = values[TOKENS.index(token)].astype(np.float32)
        assert dataset.matrix[dataset.tokens.index(token)].tobytes() == row.tobytes()


def test_another_vocabulary_is_another_fingerprint(corpus: Corpus, tmp_path: Path) -> None:
    vectors = put_npy(tmp_path)
    fingerprints = []
    for text in (TEXT, TEXT.replace(b"bad", b"dab")):
        (tmp_path / "words.txt").write_bytes(text)
        dataset = corpus.build(tmp_path / "out", vectors=vectors)
        fingerprints.append(dataset.manifest.inputs.vectors[0].fingerprint)
    assert len(set(fingerprints)) == 2


def test_rows_that_are_not_finite_fail_or_are_counted(corpus: Corpus, tmp_path: Path) -> None:
    values = MATRIX.copy()
    values[4, 1] = np.nan
    vectors = put_npy(tmp_path, values)
    with pytest.raises(DataError, match=r"words\.npy: row 5: expected finite floats, found"):
        corpus.build(tmp_path / "out", vectors=vectors)
    dataset = corpus.build(tmp_path / "out", vectors=vectors, max_reject_fraction=(0.01, 0.5))
    assert dataset.manifest.rejects.vectors == {"not finite": 1}
    assert dataset.row("bad") == [0, 0]


def test_a_vocabulary_that_does_not_fit_is_found_before_anything_runs(
    corpus: Corpus, tmp_path: Path
) -> None:
    vectors = put_npy(tmp_path)
    (tmp_path / "words.txt").write_bytes(TEXT + b"more\n")
    with pytest.raises(DataError, match=r"words\.txt: line 7: expected 6 lines, .*words\.npy, fou"):
        corpus.build(tmp_path / "out", vectors=vectors)
    assert not (tmp_path / "out").exists()


def test_a_missing_vocabulary_is_named(corpus: Corpus, tmp_path: Path) -> None:
    vectors = put_npy(tmp_path)
    with pytest.raises(UsageError, match=r"tokens=.*none: no such file"):
        corpus.build(tmp_path / "out", vectors=f"{vectors}?tokens={tmp_path / 'none'}")
    (tmp_path / "words.txt").unlink()
    with pytest.raises(UsageError, match=r"there is no .*words\.txt; give its vocabulary"):
        corpus.build(tmp_path / "out", vectors=vectors)
    with pytest.raises(UsageError, match=r"\?token=x: no such file; behind a \? the keys are tok"):
        corpus.build(tmp_path / "out", vectors=f"{vectors}?token=x")


def test_a_pickle_is_refused_without_the_flag(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"words\.kv: a Python pickle, .* --allow_pickle"):
        corpus.build(tmp_path / "out", vectors=put_keyed(tmp_path))


FORMATS = {
    "npy": "NumPy .npy",
    "npy in gzip": "NumPy .npy",
    "safetensors": "safetensors",
    "Parquet": "Parquet",
    "Arrow file": "Arrow IPC file",
    "Arrow stream": "Arrow IPC stream",
    "KeyedVectors": "gensim KeyedVectors",
}


@pytest.mark.parametrize("kind", PUT)
def test_inspect_tells_what_a_file_is(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = PUT[kind](tmp_path)
    allow = ["--allow_pickle"] if kind == "KeyedVectors" else []
    assert main(["inspect", spec, *allow]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["format"] == FORMATS[kind]
    assert lines["rows"] == ("5" if allow else "6")
    assert lines["dimension"] == "2"
    assert lines["tokens"].startswith("the service film unseen bad")
    if not allow:
        assert lines["irregular"].startswith("1 tokens that come again")
    assert ("words" in lines) == (kind in ("npy", "npy in gzip", "safetensors"))
    if allow:
        assert main(["inspect", spec]) == 1
        assert "--allow_pickle" in capsys.readouterr().err
