"""EncodeExamples and WriteExamples alone, in a pipeline of their own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that

from formats.blocks import SPLITS, TOKENS, VOCABULARY
from formats.dataset.examples import parse_examples
from formats.dataset.tfrecord import read_records
from transforms.encode_examples import EncodeExamples, ExampleSpec
from transforms.summarise_corpus import CorpusSummary
from transforms.write_examples import WriteExamples

SPEC = ExampleSpec(
    max_length=3,
    padding="post",
    truncating="post",
    shuffle_seed=0,
    shards=1,
    compression="gzip",
    labelled=True,
)
WORDS = ["[PAD]", "[UNK]", "a", "b", "c"]

# (file, offset, split, tokens, label)
ROWS = [
    (0, 0, "train", "a b", "neg"),
    (0, 10, "test", "c unknown", "pos"),
    (1, 0, "train", "", "pos"),
    (1, 7, "train", "a b c a", "neg"),
    (1, 20, "train", "[PAD] c", "neg"),
]
TRAIN = {((2, 3, 0), 2, 0), ((0, 0, 0), 0, 1), ((2, 3, 4), 3, 0), ((1, 4, 0), 2, 0)}


def block(rows: list[Any]) -> Any:
    files, offsets, splits, texts, labels = (list(column) for column in zip(*rows, strict=True))
    columns = [
        [text.split() for text in texts],
        labels,
        files,
        offsets,
        [SPLITS.index(split) for split in splits],
    ]
    return pa.record_batch(columns, schema=TOKENS)


def write(folder: Path, blocks: list[Any], spec: ExampleSpec = SPEC) -> dict[str, list[list[Any]]]:
    """Writes examples; gives by split the examples of each shard."""
    (folder / "runs" / "r").mkdir(parents=True)

    def check(written: list[Any]) -> None:
        paths = sorted(shard.path for _, shard in written)
        assert paths == sorted(f"runs/r/{path.name}" for path in (folder / "runs/r").iterdir())
        for split, shard in written:
            assert Path(shard.path).name.startswith(f"{split}-")
            data = (folder / shard.path).read_bytes()
            assert (shard.bytes, shard.sha256) == (len(data), hashlib.sha256(data).hexdigest())
            assert shard.examples == len(read(folder / shard.path, spec))

    labels = ["neg", "pos"] if spec.labelled else []
    summary = CorpusSummary(labels, {"train": 4, "test": 1}, {}, {})
    words = pa.record_batch([WORDS, [0] * len(WORDS)], schema=VOCABULARY)
    pipeline = beam.Pipeline(runner=FnApiRunner())
    summaries = pipeline | "Summary" >> beam.Create([summary])
    vocabulary = pipeline | "Words" >> beam.Create([words]).with_output_types(pa.RecordBatch)
    written = (
        pipeline
        | beam.Create(blocks).with_output_types(pa.RecordBatch)
        | EncodeExamples(vocabulary, summaries, spec)
        | WriteExamples(summaries, spec, ["train", "test"], str(folder), "r")
    )
    assert_that(written, check)
    pipeline.run()
    found: dict[str, list[list[Any]]] = {}
    for path in sorted((folder / "runs" / "r").iterdir()):
        found.setdefault(path.name.partition("-")[0], []).append(read(path, spec))
    return found


def read(path: Path, spec: ExampleSpec) -> list[Any]:
    """(token ids, length, label) of each example."""
    with open(path, "rb") as file:
        records = list(read_records(file, spec.compression, path.name))
    parsed = parse_examples(records, spec.max_length, labelled=spec.labelled, name=path.name)
    labels = [None] * len(records) if parsed.labels is None else parsed.labels.tolist()
    rows = map(tuple, parsed.token_ids.tolist())
    return list(zip(rows, parsed.lengths.tolist(), labels, strict=True))


def test_examples_are_written_by_split_padded_and_cut(tmp_path: Path) -> None:
    found = write(tmp_path, [block(ROWS)])
    assert set(found) == {"train", "test"}
    assert set(found["train"][0]) == TRAIN
    assert found["test"] == [[((4, 1, 0), 2, 1)]]


def test_the_order_does_not_depend_on_the_blocks(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", [block(ROWS)])
    parts = [block([row]) for row in reversed(ROWS)]
    assert write(tmp_path / "parts", parts) == whole


def test_shards_part_the_order_and_empty_ones_are_written_too(tmp_path: Path) -> None:
    [whole] = write(tmp_path / "one", [block(ROWS)])["train"]
    found = write(tmp_path / "many", [block(ROWS)], SPEC._replace(shards=6))
    assert [len(found[split]) for split in ("train", "test")] == [6, 6]
    assert [example for shard in found["train"] for example in shard] == whole
    assert [] in found["test"]


@pytest.mark.parametrize("kept", [0, 300, 1 << 20])
def test_how_many_blocks_are_cut_at_once_changes_no_byte(
    kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SPEC._replace(shards=3)
    rows = [(0, place, ("train", "test")[place % 2], "a b c", "neg") for place in range(40)]
    write(tmp_path / "whole", [block(rows)], spec)
    monkeypatch.setattr("transforms.write_examples._MOST_KEPT", kept)
    write(tmp_path / "parts", [block(rows[place : place + 4]) for place in range(0, 40, 4)], spec)
    names = [path.name for path in sorted((tmp_path / "whole" / "runs" / "r").iterdir())]
    assert len(names) == 6
    for name in names:
        whole, parts = (tmp_path / output / "runs" / "r" / name for output in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes()


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_examples_without_labels(compression: str, tmp_path: Path) -> None:
    spec = SPEC._replace(labelled=False, compression=compression)
    found = write(tmp_path, [block([(*row[:4], None) for row in ROWS])], spec)
    assert set(found["train"][0]) == {(ids, length, None) for ids, length, _ in TRAIN}


def test_a_split_without_examples_has_its_shard(tmp_path: Path) -> None:
    found = write(tmp_path, [block(ROWS[2:])])
    assert found["test"] == [[]]
