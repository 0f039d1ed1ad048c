from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from formats.dataset import paths
from pipeline import verify as verify_module
from pipeline.verify import verify, verify_dataset
from tests.pipeline.small_dataset import RUN, Parts, publish

VOCABULARY = paths.vocabulary_text_path(RUN)
TABLE = paths.vocabulary_table_path(RUN)
NPY, LAST_NPY = (paths.embedding_shard_path(RUN, shard, 2, "npy") for shard in (0, 1))
TRAIN, LAST_TRAIN = (paths.example_shard_path(RUN, "train", shard, 2, "gzip") for shard in (0, 1))
REJECTS = paths.rejects_path(RUN)
KEPT = paths.run_manifest_path(RUN)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"padding": "pre", "compression": "none"},
        {"format": "parquet"},
        {"format": "parquet", "dtype": "float16"},
        {"format": "safetensors"},
        {"labels": None, "dtype": "float16"},
    ],
)
def test_a_whole_dataset_is_ok(
    parts: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path, Parts(**parts))
    assert verify_dataset(str(tmp_path)) == []
    assert verify(str(tmp_path)) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"OK {tmp_path}: run r1, 7 tokens, matrix 7 x 3 float")
    assert "examples train 5, test 1, validation 0; 11 files" in printed.out
    assert printed.err == ""


def test_problems_are_printed_one_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path)
    (tmp_path / VOCABULARY).unlink()
    (tmp_path / REJECTS).unlink()
    assert verify(str(tmp_path)) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    *problems, total = printed.err.splitlines()
    assert [line.split(": ")[:2] for line in problems] == [
        ["embprep", VOCABULARY],
        ["embprep", REJECTS],
    ]
    assert total == f"embprep: {tmp_path}: 2 problems"


def test_there_is_no_dataset(tmp_path: Path) -> None:
    [problem] = verify_dataset(str(tmp_path))
    assert problem.startswith("manifest.json: missing, or can't be read: ")


@pytest.mark.parametrize("path", [VOCABULARY, TABLE, NPY, TRAIN, REJECTS, KEPT])
def test_a_missing_file_is_reported_once(path: str, tmp_path: Path) -> None:
    publish(tmp_path)
    (tmp_path / path).unlink()
    [problem] = verify_dataset(str(tmp_path))
    assert problem.startswith(f"{path}: missing, or can't be read: ")


@pytest.mark.parametrize("parts", [{}, {"format": "parquet", "compression": "none"}])
def test_a_flipped_byte_anywhere_in_any_file_is_found(
    parts: dict[str, Any], tmp_path: Path
) -> None:
    publish(tmp_path, Parts(**parts))
    files = sorted(path for path in (tmp_path / "runs").rglob("*") if path.is_file())
    assert len(files) == 12
    for path in files:
        name = path.relative_to(tmp_path).as_posix()
        whole = path.read_bytes()
        for place in np.linspace(0, len(whole) - 1, 12).astype(int).tolist() if whole else []:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            problems = verify_dataset(str(tmp_path))
            change = "differs from" if name == KEPT else "sha256: expected"
            assert any(problem.startswith(f"{name}: {change}") for problem in problems)
        path.write_bytes(whole)
    assert verify_dataset(str(tmp_path)) == []


@pytest.mark.parametrize("path", [VOCABULARY, TABLE, NPY, TRAIN, REJECTS, KEPT])
def test_a_cut_file_is_found(path: str, tmp_path: Path) -> None:
    publish(tmp_path)
    (tmp_path / path).write_bytes((tmp_path / path).read_bytes()[:-1])
    assert any(problem.startswith(path) for problem in verify_dataset(str(tmp_path)))


def test_a_flipped_byte_of_the_manifest_is_found(tmp_path: Path) -> None:
    publish(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"created": "2024', b'"created": "2025'))
    assert verify_dataset(str(tmp_path)) == [f"{KEPT}: differs from manifest.json"]


def problems_of(folder: Path, **parts: Any) -> list[str]:
    return verify_dataset(str(publish(folder, Parts(**parts))))


def assignment(*keys: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def assign(values: dict[str, Any]) -> None:
        place: Any = values
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return assign


SHARD = ("embeddings", "shards", 0)
TRAIN_SHARD = ("examples", "splits", "train", "shards", 0)


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (
            assignment(*SHARD, "path", value="../outside.npy"),
            ["manifest.json: embeddings.shards[0].path: '../outside.npy': expected a path inside"],
        ),
        (
            assignment("vocabulary", "path", value="/etc/hostname"),
            ["manifest.json: vocabulary.path: '/etc/hostname': expected a path inside"],
        ),
        (
            assignment(*TRAIN_SHARD, "path", value=NPY),
            [
                f"{NPY}: bytes: expected",
                f"{NPY}: sha256: expected",
                f"manifest.json: {NPY}: named 2 times",
                f"{NPY}: record 0, byte 0: expected more compressed data",
            ],
        ),
        (
            assignment("vocabulary", "size", value=8),
            [
                f"{VOCABULARY}: vocabulary size: expected 8, found 7",
                "manifest.json: embeddings.rows against vocabulary.size: expected 8, found 7",
            ],
        ),
        (assignment("vocabulary", "pad_id", value=1), ["manifest.json: vocabulary.pad_id: exp"]),
        (assignment("vocabulary", "oov_id", value=0), ["manifest.json: vocabulary.oov_id: exp"]),
        (
            assignment("embeddings", "rows", value=6),
            [
                "manifest.json: embeddings.rows against vocabulary.size: expected 7, found 6",
                "manifest.json: embeddings.rows against its shards: expected 7, found 6",
            ],
        ),
        (
            assignment("embeddings", "dim", value=4),
            [
                f"{NPY}: rows, dim and dtype: expected 3 x 4 float32, found 3 x 3 float32",
                f"{LAST_NPY}: rows, dim and dtype: expected 4 x 4 float32",
            ],
        ),
        (
            assignment("embeddings", "dtype", value="float16"),
            [
                f"{NPY}: rows, dim and dtype: expected 3 x 3 float16, found 3 x 3 float32",
                f"{LAST_NPY}: rows, dim and dtype: expected 4 x 3 float16",
            ],
        ),
        (assignment("embeddings", "format", value="pkl"), ["manifest.json: embeddings.format: "]),
        (
            assignment("embeddings", "shards", 1, "first_row", value=4),
            [
                "manifest.json: embeddings.shards[1].first_row: expected 3, found 4",
                f"{LAST_NPY}: row 6: expected zeros",
                "manifest.json: embeddings.rows against its shards: expected 8, found 7",
            ],
        ),
        (
            assignment(*SHARD, "bytes", value=1),
            [f"{NPY}: bytes: expected 1, found 164"],
        ),
        (
            assignment(*TRAIN_SHARD, "examples", value=4),
            [
                "manifest.json: examples.splits.train.examples against its shards: expected 6, f",
                f"{TRAIN}: examples: expected 4, found 3",
            ],
        ),
        (
            assignment("examples", "splits", "train", "examples", value=6),
            ["manifest.json: examples.splits.train.examples against its shards: expected 5, f"],
        ),
        (
            lambda values: values["examples"]["splits"].update(
                dev=values["examples"]["splits"].pop("validation")
            ),
            ["manifest.json: examples.splits: 'dev' is none of train, validation, test"],
        ),
        (
            assignment("examples", "features", "label", "dtype", value="float"),
            ["manifest.json: examples.features: expected"],
        ),
        (
            assignment("examples", "compression", value="zip"),
            ["manifest.json: examples: compression 'zip' and max_length 4 can't be"],
        ),
        (
            assignment("labels", value=["pos", "neg"]),
            ["manifest.json: labels: not sorted, or one comes twice"],
        ),
        (
            assignment("labels", value=["pos", "pos"]),
            ["manifest.json: labels: not sorted, or one comes twice"],
        ),
        (
            assignment("labels", value=["neg"]),
            [
                f"{TRAIN}: record 1: a label out of range, 0 to 0",
                f"{LAST_TRAIN}: record 0: a label out of range, 0 to 0",
            ],
        ),
        (
            assignment("coverage", "matched", value=4),
            [
                "manifest.json: coverage.matched against the vocabulary: expected 3, found 4",
            ],
        ),
        (
            assignment("coverage", "token_coverage", value=0.5),
            ["manifest.json: coverage.token_coverage against the vocabulary: expected 0.69"],
        ),
        (
            assignment("coverage", "by_source", value={"glove.txt": 3}),
            ["manifest.json: coverage.by_source against the vocabulary: expected"],
        ),
        (
            assignment("coverage", "top_oov", value=[]),
            ["manifest.json: coverage.top_oov against the vocabulary: expected [('film', 5), "],
        ),
        (
            assignment("inputs", "vectors", 0, "matched", value=0),
            ["manifest.json: inputs.vectors: matched, against the vocabulary: expected [2, 1]"],
        ),
        (
            assignment("rejects", "corpus", "no text", value=2),
            [f"{REJECTS}: rejects by reason: expected"],
        ),
        (assignment("format_version", value=2), ["manifest.json: format_version: expected 1, "]),
    ],
)
def test_a_wrong_manifest_is_reported(
    change: Callable[[dict[str, Any]], None], problems: list[str], tmp_path: Path
) -> None:
    found = problems_of(tmp_path, change_manifest=change)
    assert len(found) == len(problems), found
    for problem, start in zip(found, problems, strict=True):
        assert problem.startswith(start)


def with_column(column: str, **by_id: Any) -> Any:
    table = Parts().table
    values = table.column(column).to_pylist()
    for row, value in by_id.items():
        values[int(row[2:])] = value
    place = table.schema.get_field_index(column)
    return table.set_column(place, table.schema.field(column), pa.array(values))


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"table": with_column("count", id4=6)}, "id 4: expected order by falling count, then by"),
        (
            {"table": with_column("token", id3="영화", id4="film")},
            "id 4: expected order .* 'film' behind '영화'",
        ),
        ({"table": with_column("count", id6=1)}, "id 6: counted 1 times, less than min_count"),
        ({"table": with_column("count", id6=-1)}, "id 6: a negative count"),
        ({"table": with_column("count", id1=3)}, r"\[PAD\] or \[UNK\] has a count or a vector"),
        ({"table": with_column("source", id3="ko.bin")}, "id 3: source and matched contradict"),
        ({"table": with_column("rule", id2=None)}, "id 2: rule and matched contradict"),
        ({"config": {"max_tokens": 6}}, "vocabulary size 7 is more than max_tokens, 6, allows"),
    ],
)  # fmt: skip
def test_a_wrong_vocabulary_is_reported(
    parts: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    found = problems_of(tmp_path, **parts)
    assert any(re.match(f"{TABLE}: {problem}", line) for line in found), found


@pytest.mark.parametrize(
    "parts",
    [
        {"table": with_column("count", id5=0, id6=9), "config": {"vector_tokens": 2}},
        {"table": with_column("count", id5=0, id6=9), "config": {"vocabulary": "given.txt"}},
        {"config": {"max_tokens": 6, "vector_tokens": 1}},
    ],
)
def test_tokens_of_vector_files_and_a_given_vocabulary_have_their_own_order(
    parts: dict[str, Any], tmp_path: Path
) -> None:
    assert problems_of(tmp_path, **parts) == []


def test_the_two_files_of_the_vocabulary_must_agree(tmp_path: Path) -> None:
    tokens = ["[PAD]", "[UNK]", "the", "film", "영화", "a\x85b", "other"]
    assert problems_of(tmp_path, tokens=tokens) == [
        f"{TABLE}: its tokens are not those of {VOCABULARY}"
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"film", b"the", "line 4: expected a token that no other line has, found 'the'"),
        (b"film", b"", "line 4: expected a token, found an empty line"),
        (b"film", b"\xff", "line 4, byte 16: expected UTF-8"),
        (b"[PAD]", b"[CLS]", "line 1: expected [PAD], found '[CLS]'"),
        (b"[UNK]", b"<unk>", "line 2: expected [UNK], found '<unk>'"),
    ],
)
def test_a_wrong_line_of_the_vocabulary_is_reported(
    old: bytes, new: bytes, problem: str, tmp_path: Path
) -> None:
    def change(path: str, data: bytes) -> bytes:
        return data.replace(old, new) if path == VOCABULARY else data

    [found] = problems_of(tmp_path, change_bytes=change)
    assert found.startswith(f"{VOCABULARY}: {problem}")


def vectors_with(row: int, value: float) -> Any:
    vectors = Parts().vectors
    vectors[row, 1] = value
    return vectors


@pytest.mark.parametrize("format", ["npy", "parquet", "safetensors"])
@pytest.mark.parametrize(
    ("row", "value", "problem"),
    [
        (0, 1e-30, "row 0, of [PAD], is not zero"),
        (3, 1.0, "row 3: expected zeros, as its token has no vector"),
        (4, np.nan, "row 4: a number is not finite"),
        (2, np.inf, "row 2: a number is not finite"),
    ],
)
def test_a_wrong_row_of_the_matrix_is_reported(
    format: str, row: int, value: float, problem: str, tmp_path: Path
) -> None:
    path = paths.embedding_shard_path(RUN, int(row >= 3), 2, format)
    found = problems_of(tmp_path, vectors=vectors_with(row, value), format=format)
    assert found[0].startswith(f"{path}: {problem}")
    assert all(line.startswith(f"{path}: row {row}") for line in found)


def test_rows_without_a_vector_are_zero_only_if_the_manifest_says_so(tmp_path: Path) -> None:
    assert problems_of(tmp_path, vectors=vectors_with(3, 1.0), oov="mean") == []


def test_a_matrix_of_an_unknown_format_is_reported(tmp_path: Path) -> None:
    found = problems_of(tmp_path, change_manifest=assignment("embeddings", "format", value="h5"))
    assert (
        "manifest.json: embeddings.format: expected one of npy, parquet, safetensors, found 'h5'"
        in found
    )


def test_the_ids_and_tokens_of_parquet_shards_are_checked(tmp_path: Path) -> None:
    path = paths.embedding_shard_path(RUN, 1, 2, "parquet")
    change = assignment("embeddings", "shards", 1, "first_row", value=4)
    found = problems_of(tmp_path, format="parquet", change_manifest=change)
    assert f"{path}: rows from 4 on: the column id does not count on" in found
    assert f"{path}: rows from 4 on: the column token is not the vocabulary" in found


def rows_with(row: int, column: int, value: int) -> Callable[[Any, Any], None]:
    def change(rows: Any, lengths: Any) -> None:
        if column < 0:
            lengths[row] = value
        else:
            rows[row, column] = value

    return change


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"change_rows": rows_with(4, 0, 7)}, "record 2: a token id out of range, 0 to 6"),
        ({"change_rows": rows_with(4, 0, 0)}, "record 2: padding that does not fit the length"),
        ({"change_rows": rows_with(2, -1, 3)}, "record 1: padding that does not fit the length"),
        ({"change_rows": rows_with(4, 3, 1)}, "record 2: padding that does not fit the length"),
        (
            {"change_rows": rows_with(4, 0, 2), "padding": "pre"},
            "record 2: padding that does not fit the length",
        ),
        ({"change_rows": rows_with(2, -1, 5)}, "record 1: a length out of range, 0 to 4"),
        ({"labels": [0, 1, 2, 0, 1]}, "record 1: a label out of range, 0 to 1"),
    ],
)
def test_a_wrong_example_is_reported_once(
    compression: str,
    parts: dict[str, Any],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So that the second record is in a second block.
    monkeypatch.setattr(verify_module, "_BLOCK_IDS", 4)
    path = paths.example_shard_path(RUN, "train", 0, 2, compression)
    found = problems_of(tmp_path, compression=compression, **parts)
    assert found == [f"{path}: {problem}"]


def test_examples_that_lack_the_label_are_reported(tmp_path: Path) -> None:
    def add_label(values: dict[str, Any]) -> None:
        values["examples"]["features"]["label"] = {"dtype": "int64", "shape": []}
        values["labels"] = ["neg", "pos"]

    found = problems_of(tmp_path, labels=None, change_manifest=add_label)
    assert len(found) == 3
    assert found[0].startswith(f"{TRAIN}: record 0: expected int64 label [1], length [1], token")


def test_labels_without_labelled_examples_are_reported(tmp_path: Path) -> None:
    found = problems_of(tmp_path, labels=None, change_manifest=assignment("labels", value=["neg"]))
    assert found == ["manifest.json: labels, whether there are any: expected False, found True"]


def test_unsorted_rejects_are_reported(tmp_path: Path) -> None:
    def reverse(path: str, data: bytes) -> bytes:
        return b"".join(reversed(data.splitlines(True))) if path == REJECTS else data

    assert problems_of(tmp_path, change_bytes=reverse) == [
        f"{REJECTS}: line 2: not sorted by file and offset"
    ]


def test_a_manifest_of_another_run_is_reported(tmp_path: Path) -> None:
    publish(tmp_path)
    kept = tmp_path / KEPT
    values = json.loads(kept.read_bytes())
    kept.write_text(json.dumps(values | {"created": "2023-01-01T00:00:00Z"}))
    assert verify_dataset(str(tmp_path)) == [f"{KEPT}: differs from manifest.json"]
