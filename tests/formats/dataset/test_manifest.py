from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.dataset import manifest as m
from formats.errors import DataError

HASH = "ab" * 32


def small_manifest() -> m.Manifest:
    return m.Manifest(
        run_id="r1",
        created="2024-01-01T00:00:00Z",
        config={"max_length": 3, "splits": {"train": 1.0}, "vocabulary": None},
        versions={"embprep": "0.1.0"},
        inputs=m.Inputs(
            [m.CorpusInput("corpus.tsv", 10, "sha256:1", None, "tsv", 1)],
            [m.VectorsInput("glove.txt", 20, "sha256:2", "GloVe text", 4, 2, 1, 0)],
        ),
        vocabulary=m.VocabularyInfo(
            "runs/r1/vocabulary.txt", 3, HASH, 0, 1, "runs/r1/vocabulary.parquet", HASH
        ),
        embeddings=m.Embeddings(
            3, 2, "float32", "npy", "zeros", [m.EmbeddingShard("runs/r1/e.npy", 0, 3, 152, HASH)]
        ),
        examples=m.Examples(
            "gzip",
            3,
            {"token_ids": m.Feature("int64", [3]), "length": m.Feature("int64", [])},
            {"train": m.SplitInfo(1, [m.ExampleShard("runs/r1/t.tfrecord.gz", 1, 99, HASH)])},
        ),
        labels=["부정", "pos"],
        coverage=m.Coverage(1, 1, 1.0, 0.5, {"glove.txt": 1}, {"exact": 1}, [("영화", 3)]),
        rejects=m.Rejects({"no text": 1}, {}, "runs/r1/rejects-00000-of-00001.jsonl", HASH),
        warnings=["a header counts one row too few"],
    )


def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
    values = json.loads(small_manifest().to_json())
    change(values)
    return json.dumps(values).encode()


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = small_manifest()
    assert m.parse_manifest(manifest.to_json(), "manifest.json") == manifest


def test_the_bytes_begin_with_the_version_are_indented_and_keep_the_order_of_keys() -> None:
    data = small_manifest().to_json()
    assert data.startswith(b'{\n  "format_version": 1,\n  "run_id": "r1",\n  "created": ')
    assert data.endswith(b"\n}\n")
    assert list(json.loads(data)) == [
        "format_version", "run_id", "created", "config", "versions", "inputs", "vocabulary",
        "embeddings", "examples", "labels", "coverage", "rejects", "warnings",
    ]  # fmt: skip
    assert "부정".encode() in data
    assert data == small_manifest().to_json()


def test_a_file_name_that_is_not_utf8_survives() -> None:
    manifest = small_manifest()
    corpus = dataclasses.replace(manifest.inputs.corpus[0], uri="caf\udce9.tsv")
    manifest = dataclasses.replace(manifest, inputs=m.Inputs([corpus], []))
    assert m.parse_manifest(manifest.to_json(), "m").inputs.corpus[0].uri == "caf\udce9.tsv"


def test_keys_of_a_later_version_are_let_pass() -> None:
    def add(values: dict[str, Any]) -> None:
        values["more"] = values["embeddings"]["shards"][0]["more"] = {"x": [1]}

    assert m.parse_manifest(changed(add), "m") == small_manifest()


def test_keys_that_may_be_missing() -> None:
    def remove(values: dict[str, Any]) -> None:
        del values["warnings"], values["rejects"]["path"], values["rejects"]["sha256"]

    manifest = m.parse_manifest(changed(remove), "m")
    assert manifest.warnings == []
    assert manifest.rejects.path is None
    assert "rejects.path" not in [file.key for file in m.published_files(manifest)]


def test_every_published_file_is_named_with_its_key() -> None:
    files = {file.key: file.path for file in m.published_files(small_manifest())}
    assert files == {
        "vocabulary.path": "runs/r1/vocabulary.txt",
        "vocabulary.parquet_path": "runs/r1/vocabulary.parquet",
        "embeddings.shards[0].path": "runs/r1/e.npy",
        "examples.splits.train.shards[0].path": "runs/r1/t.tfrecord.gz",
        "rejects.path": "runs/r1/rejects-00000-of-00001.jsonl",
    }


@pytest.mark.parametrize("key", [
    "run_id", "created", "config", "versions", "inputs.corpus", "inputs.vectors",
    "vocabulary.path", "vocabulary.size", "vocabulary.sha256", "vocabulary.pad_id",
    "vocabulary.oov_id", "embeddings.rows", "embeddings.dim", "embeddings.dtype",
    "embeddings.format", "embeddings.oov", "embeddings.shards", "examples.compression",
    "examples.max_length", "examples.features", "examples.splits", "labels",
    "coverage.vocabulary", "coverage.matched", "coverage.type_coverage",
    "coverage.token_coverage", "coverage.by_source", "coverage.by_rule", "coverage.top_oov",
    "rejects.corpus", "rejects.vectors",
])  # fmt: skip
def test_a_missing_key_is_named(key: str) -> None:
    def remove(values: dict[str, Any]) -> None:
        *outer, last = key.split(".")
        for name in outer:
            values = values[name]
        del values[last]

    with pytest.raises(DataError, match=rf"^out/manifest.json: {key}: expected .* found no such"):
        m.parse_manifest(changed(remove), "out/manifest.json")


@pytest.mark.parametrize(
    ("set_key", "message"),
    [
        (lambda v: v["vocabulary"].update(size="3"), "vocabulary.size: expected an integer, found"),
        (lambda v: v["vocabulary"].update(size=3.0), "vocabulary.size: expected an integer"),
        (lambda v: v["vocabulary"].update(size=True), "vocabulary.size: .* found true or false"),
        (lambda v: v.update(labels={}), "labels: expected a list, found an object"),
        (lambda v: v.update(labels=["a", 1]), r"labels\[1\]: expected a string"),
        (lambda v: v.update(config=[]), "config: expected an object"),
        (lambda v: v["coverage"].update(top_oov=[["a"]]), r"top_oov\[0\]: expected 2 items"),
        (lambda v: v["coverage"].update(type_coverage="1"), "type_coverage: expected a number"),
        (lambda v: v["embeddings"]["shards"][0].pop("rows"), r"embeddings.shards\[0\].rows: "),
        (lambda v: v["examples"]["splits"].update(train=[]), "examples.splits.train: expected an"),
        (lambda v: v["inputs"]["corpus"][0].update(split=1), r"inputs.corpus\[0\].split: "),
        (lambda v: v.pop("format_version"), "format_version: expected 1, found null"),
        (lambda v: v.update(format_version=2), "format_version: expected 1, found 2; .*version of"),
        (lambda v: v.update(format_version=True), "format_version: expected 1, found True"),
        (lambda v: v.update(run_id=".."), "run_id: 'runs/../manifest.json': expected a path"),
        (lambda v: v.update(run_id="a/b"), "run_id: expected the name of a directory"),
    ],
)
def test_an_ill_typed_key_is_named(set_key: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        m.parse_manifest(changed(lambda values: set_key(values) and None), "m")


@pytest.mark.parametrize(
    ("key", "put"),
    [
        ("vocabulary.path", lambda v, path: v["vocabulary"].update(path=path)),
        ("vocabulary.parquet_path", lambda v, path: v["vocabulary"].update(parquet_path=path)),
        (r"embeddings.shards\[0\]", lambda v, path: v["embeddings"]["shards"][0].update(path=path)),
        (
            r"examples.splits.train.shards\[0\]",
            lambda v, path: v["examples"]["splits"]["train"]["shards"][0].update(path=path),
        ),
        ("rejects.path", lambda v, path: v["rejects"].update(path=path)),
    ],
)
@pytest.mark.parametrize("path", ["../x", "/x", "gs://b/x"])
def test_every_path_is_checked(key: str, put: Callable[[Any, str], None], path: str) -> None:
    with pytest.raises(DataError, match=f"^m: {key}"):
        m.parse_manifest(changed(lambda values: put(values, path)), "m")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff", b"[]", b"null", b"3", b'{"format_version": NaN}', b"[" * 100_000, b"{}"],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="^m: "):
        m.parse_manifest(data, "m")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.data(), json_values)
def test_a_manifest_with_any_value_anywhere_is_read_or_refused(data: Any, value: Any) -> None:
    values: Any = json.loads(small_manifest().to_json())
    place = values
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else [0]))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = value
    try:
        manifest = m.parse_manifest(json.dumps(values).encode(), "m")
    except DataError:
        return
    assert m.parse_manifest(manifest.to_json(), "m") == manifest
