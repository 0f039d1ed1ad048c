"""Builds datasets in this process, and reads them back with as little of our own code as can be."""

from __future__ import annotations

import hashlib
import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c
import numpy as np
import pyarrow.parquet as pq
import safetensors.numpy
from apache_beam.options.pipeline_options import PipelineOptions

from formats.dataset.examples import parse_examples
from formats.dataset.manifest import Manifest
from formats.dataset.tfrecord import read_records
from formats.shuffle_order import mix
from pipeline.build import build
from pipeline.config import BuildConfig

# Without the apostrophe.
_FILTERED = str.maketrans(dict.fromkeys(string.punctuation.replace("'", ""), " "))
_WHITE_SPACE = re.compile("[ \t\n\r\x0b\x0c]+")


class Example(NamedTuple):
    token_ids: tuple[int, ...]
    length: int
    label: int | None


class Dataset(NamedTuple):
    """A published dataset, and what a reader of its manifest finds."""

    output: Path
    manifest: Manifest

    @property
    def tokens(self) -> list[str]:
        text = (self.output / self.manifest.vocabulary.path).read_bytes().decode()
        assert text.endswith("\n")
        return text[:-1].split("\n")

    @property
    def table(self) -> list[dict[str, Any]]:
        return pq.read_table(self.output / self.manifest.vocabulary.parquet_path).to_pylist()

    @property
    def counts(self) -> dict[str, int]:
        return {row["token"]: row["count"] for row in self.table}

    @property
    def matrix(self) -> Any:
        shards = []
        for shard in self.manifest.embeddings.shards:
            path = self.output / shard.path
            if path.suffix == ".npy":
                shards.append(np.load(path, allow_pickle=False))
            elif path.suffix == ".safetensors":
                shards.append(safetensors.numpy.load_file(path)["embeddings"])
            else:
                vectors = pq.read_table(path).column("vector").combine_chunks()
                shards.append(vectors.flatten().to_numpy().reshape(len(vectors), -1))
        return np.concatenate(shards)

    def row(self, token: str) -> list[float]:
        return self.matrix[self.tokens.index(token)].tolist()

    def shards(self, split: str) -> list[list[Example]]:
        examples, shards = self.manifest.examples, []
        for shard in examples.splits[split].shards:
            with open(self.output / shard.path, "rb") as file:
                records = list(read_records(file, examples.compression, shard.path))
            labelled = "label" in examples.features
            parsed = parse_examples(
                records, examples.max_length, labelled=labelled, name=shard.path
            )
            labels = [None] * len(records) if parsed.labels is None else parsed.labels.tolist()
            rows = map(tuple, parsed.token_ids.tolist())
            shards.append([*map(Example, rows, parsed.lengths.tolist(), labels)])
        return shards

    def examples(self, split: str) -> list[Example]:
        return [example for shard in self.shards(split) for example in shard]

    def texts(self, split: str) -> list[str]:
        """The examples as tokens, joined by spaces; those out of the vocabulary are [UNK]."""
        tokens = self.tokens
        return [
            " ".join(tokens[number] for number in example.token_ids if number)
            for example in self.examples(split)
        ]

    def files(self) -> dict[str, str]:
        """Hashes of the files of the run, but for the manifest, by their names."""
        folder = self.output / "runs" / self.manifest.run_id
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.iterdir())
            if path.name != "manifest.json"
        }


def build_dataset(
    output: Path,
    corpus: Path | str | Sequence[Path | str],
    vectors: Path | str | Sequence[Path | str],
    beam: Sequence[str] = (),
    **flags: Any,
) -> Dataset:
    """Runs ``embprep build`` in this process."""
    config = BuildConfig(_as_list(corpus), _as_list(vectors), str(output), **flags)
    manifest, _ = build(config, PipelineOptions(list(beam)))
    return Dataset(output, manifest)


def _as_list(paths: Path | str | Sequence[Path | str]) -> list[str]:
    return [str(paths)] if isinstance(paths, Path | str) else [*map(str, paths)]


def basic_tokens(text: str) -> list[str]:
    """What Keras' ``text_to_word_sequence`` documents, in plain Python."""
    return [token for token in _WHITE_SPACE.split(text.lower().translate(_FILTERED)) if token]


def hashed_split(text: str, fractions: Mapping[str, float]) -> str:
    """The split of a text: the place of a 64-bit hash of its words among the fractions."""
    crc = google_crc32c.value("".join(basic_tokens(text)).encode())
    place = int(mix(np.array([crc], np.uint64))[0]) / 2**64
    for name, fraction in fractions.items():
        place -= fraction
        if place < 0:
            return name
    return name


def ordered_vocabulary(texts: Iterable[Iterable[str]]) -> dict[str, int]:
    """Counts tokens; the most frequent come first, and of equals the one with smaller bytes."""
    counts = Counter(token for tokens in texts for token in tokens)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0].encode())))
