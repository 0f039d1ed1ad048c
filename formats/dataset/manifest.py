"""manifest.json: what a dataset holds, and the one file that puts it in force.

The keys are those of the dataclasses below. Further keys are let pass, so that a later version
may add some. Paths are relative to the directory of the manifest.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from formats.dataset.json_values import JsonReader, kind_of
from formats.dataset.paths import run_manifest_path, safe_path
from formats.errors import DataError, damaged

__all__ = [
    "FORMAT_VERSION",
    "Coverage",
    "CorpusInput",
    "EmbeddingShard",
    "Embeddings",
    "ExampleShard",
    "Examples",
    "Feature",
    "Inputs",
    "Manifest",
    "PublishedFile",
    "Rejects",
    "SplitInfo",
    "VectorsInput",
    "VocabularyInfo",
    "parse_manifest",
    "published_files",
    "safe_path",
]

FORMAT_VERSION = 1

_REMEDY = "build the dataset again"


@dataclasses.dataclass(frozen=True)
class CorpusInput:
    """One ``--corpus``: all files that it names. ``split`` is None if rows were assigned."""

    uri: str
    bytes: int
    fingerprint: str
    split: str | None
    format: str
    files: int


@dataclasses.dataclass(frozen=True)
class VectorsInput:
    """One vector file; ``matched`` rows of it serve a token, ``duplicates`` repeat one."""

    uri: str
    bytes: int
    fingerprint: str
    format: str
    rows: int
    dim: int
    matched: int
    duplicates: int


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What was read, in the order of the flags."""

    corpus: list[CorpusInput]
    vectors: list[VectorsInput]


@dataclasses.dataclass(frozen=True)
class VocabularyInfo:
    """The vocabulary's files; ``size`` counts [PAD] and [UNK] too.

    ``unk_token`` is what the vector files call the vector that [UNK] got; None where they have
    none, so that its row is by the OOV policy.
    """

    path: str
    size: int
    sha256: str
    pad_id: int
    oov_id: int
    parquet_path: str
    parquet_sha256: str
    unk_token: str | None = None


@dataclasses.dataclass(frozen=True)
class EmbeddingShard:
    """Rows [first_row, first_row + rows) of the embedding matrix."""

    path: str
    first_row: int
    rows: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """The embedding matrix, [rows, dim].

    ``oov`` is the policy for words without a vector, or several with commas between, one for
    each vector file, where these stand side by side. ``subword`` counts the words without a
    vector whose rows were made of subwords.
    """

    rows: int
    dim: int
    dtype: str
    format: str
    oov: str
    shards: list[EmbeddingShard]
    subword: int = 0


@dataclasses.dataclass(frozen=True)
class ExampleShard:
    """One TFRecord file."""

    path: str
    examples: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class SplitInfo:
    """The TFRecord files of one split, in order."""

    examples: int
    shards: list[ExampleShard]


@dataclasses.dataclass(frozen=True)
class Feature:
    """A feature of every example; the shape of a single number is []."""

    dtype: str
    shape: list[int]


@dataclasses.dataclass(frozen=True)
class Examples:
    """The examples, by split."""

    compression: str
    max_length: int
    features: dict[str, Feature]
    splits: dict[str, SplitInfo]


@dataclasses.dataclass(frozen=True)
class Coverage:
    """How much of the vocabulary, [PAD] and [UNK] left out, has a vector.

    ``type_coverage`` is the share of the tokens that have one, ``token_coverage`` the same with
    each token weighed by its count; both are 0 where there is nothing to divide by.
    """

    vocabulary: int
    matched: int
    type_coverage: float
    token_coverage: float
    by_source: dict[str, int]
    by_rule: dict[str, int]
    top_oov: list[tuple[str, int]]


@dataclasses.dataclass(frozen=True)
class Rejects:
    """Rows that could not be used, by reason, and the file that lists them."""

    corpus: dict[str, int]
    vectors: dict[str, int]
    path: str | None = None
    sha256: str | None = None


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A dataset: how it was made, its files, and what is in them."""

    run_id: str
    created: str
    config: dict[str, Any]
    versions: dict[str, str]
    inputs: Inputs
    vocabulary: VocabularyInfo
    embeddings: Embeddings
    examples: Examples
    labels: list[str]
    coverage: Coverage
    rejects: Rejects
    warnings: list[str] = dataclasses.field(default_factory=list)
    format_version: int = FORMAT_VERSION

    def to_json(self) -> bytes:
        """The bytes of manifest.json: UTF-8, keys in the order of the fields."""
        values = dataclasses.asdict(self)
        values = {"format_version": values.pop("format_version"), **values}
        text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        # A file name that is not UTF-8 comes as lone surrogates, which JSON can only escape.
        return text.encode("utf-8", "backslashreplace")


class PublishedFile(NamedTuple):
    """A file that a manifest names.

    Attributes:
        key: where in the manifest, such as ``embeddings.shards[0]``.
        path: relative to the dataset's directory.
        bytes: its size; None where the manifest does not say.
        sha256: its hash in hexadecimal; None where the manifest does not say.
    """

    key: str
    path: str
    bytes: int | None
    sha256: str | None


def published_files(manifest: Manifest) -> Iterator[PublishedFile]:
    """Yields every file that a manifest names, in the manifest's order."""
    vocabulary, rejects = manifest.vocabulary, manifest.rejects
    yield PublishedFile("vocabulary.path", vocabulary.path, None, vocabulary.sha256)
    yield PublishedFile(
        "vocabulary.parquet_path", vocabulary.parquet_path, None, vocabulary.parquet_sha256
    )
    for number, shard in enumerate(manifest.embeddings.shards):
        key = f"embeddings.shards[{number}].path"
        yield PublishedFile(key, shard.path, shard.bytes, shard.sha256)
    for split, info in manifest.examples.splits.items():
        for number, examples in enumerate(info.shards):
            key = f"examples.splits.{split}.shards[{number}].path"
            yield PublishedFile(key, examples.path, examples.bytes, examples.sha256)
    if rejects.path is not None:
        yield PublishedFile("rejects.path", rejects.path, None, rejects.sha256)


def parse_manifest(data: bytes, name: str) -> Manifest:
    """Reads manifest.json.

    Args:
        data: the bytes of the file.
        name: what messages call the file.

    Raises:
        DataError: it is not JSON, a key is missing or of the wrong type, its version is not
            this one, or a path in it leads out of the dataset's directory.
    """
    try:
        values = json.loads(data.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: not a manifest: {error}; {_REMEDY}") from error
    if not isinstance(values, dict):
        raise damaged(name, "byte 0", expected="an object", found=kind_of(values), remedy=_REMEDY)
    version = values.get("format_version")
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise damaged(
            name,
            "format_version",
            expected=str(FORMAT_VERSION),
            found=kind_of(None) if version is None else repr(version),
            remedy=f"{_REMEDY}, or use the version of embprep that wrote it",
        )
    manifest: Manifest = JsonReader(name, _REMEDY).read(Manifest, values)
    _check_paths(manifest, name)
    return manifest


def _check_paths(manifest: Manifest, name: str) -> None:
    paths = [(file.key, file.path) for file in published_files(manifest)]
    if "/" in manifest.run_id:
        raise damaged(
            name,
            "run_id",
            expected="the name of a directory",
            found=repr(manifest.run_id),
            remedy=_REMEDY,
        )
    paths.append(("run_id", run_manifest_path(manifest.run_id)))
    for key, path in paths:
        try:
            safe_path(path)
        except DataError as error:
            raise DataError(f"{name}: {key}: {error}") from error


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")
