"""Publish: the manifest, which names all that was written, and puts it in force."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import AsIter, AsSingleton

from formats.dataset.examples import example_features
from formats.dataset.manifest import (
    FORMAT_VERSION,
    CorpusInput,
    Embeddings,
    EmbeddingShard,
    Examples,
    ExampleShard,
    Inputs,
    Manifest,
    Rejects,
    SplitInfo,
    VectorsInput,
    parse_manifest,
)
from formats.dataset.paths import MANIFEST_PATH, run_manifest_path
from formats.errors import DataError
from formats.vectors.source import VectorSource
from transforms.encode_examples import ExampleSpec
from transforms.losses import demand_all
from transforms.prove_vectors import JoinedSource
from transforms.storage import create_file, exists, join, read_file
from transforms.summarise_corpus import CorpusSummary
from transforms.write_matrix import MatrixSpec
from transforms.write_rejects import RejectsFile
from transforms.write_vocabulary import WrittenVocabulary


class Draft(NamedTuple):
    """What the manifest says that is known before the job runs.

    Attributes:
        output: URI of the dataset.
        run_id: the name of the run.
        created: when the run began, UTC, ISO 8601.
        config: the flags.
        versions: of embprep, Python and the packages that shape the output.
        corpus: the corpora.
        sources: the vector files.
        fingerprints: of the vector files.
        splits: the splits that the corpus can have.
        matrix: what the embedding matrix is to be.
        examples: what the examples are to be.
        warnings: what the user should know of the inputs.
    """

    output: str
    run_id: str
    created: str
    config: dict[str, Any]
    versions: dict[str, str]
    corpus: list[CorpusInput]
    sources: list[VectorSource]
    fingerprints: list[str]
    splits: list[str]
    matrix: MatrixSpec
    examples: ExampleSpec
    warnings: list[str]


class Written(NamedTuple):
    """The PCollections of what was written, each as the transform that wrote it gives it."""

    summary: Any
    vocabulary: Any
    sources: Any
    matrix_shards: Any
    example_shards: Any
    rejects: Any


class Publish(beam.PTransform[Any, Any]):
    """Writes the manifest last of all, replacing the one before in one step.

    Applied to a pipeline; gives the manifest's bytes. Until the step is done, the dataset before
    stays whole and in force.

    Args:
        draft: what is known beforehand.
        written: what the job wrote.
    """

    def __init__(self, draft: Draft, written: Written) -> None:
        super().__init__()
        self._draft = draft
        self._written = written

    def expand(self, pipeline: Any) -> Any:
        written = self._written
        return (
            pipeline
            | "Once" >> beam.Impulse()
            | "WriteManifest"
            >> beam.Map(
                _publish,
                self._draft,
                AsSingleton(written.summary),
                AsSingleton(written.vocabulary),
                AsSingleton(written.sources),
                AsIter(written.matrix_shards),
                AsIter(written.example_shards),
                AsSingleton(written.rejects),
            )
        )


def _publish(
    _: bytes,
    draft: Draft,
    summary: CorpusSummary,
    vocabulary: WrittenVocabulary,
    sources: list[JoinedSource],
    matrix_shards: Iterable[EmbeddingShard],
    example_shards: Iterable[tuple[str, ExampleShard]],
    rejects: RejectsFile,
) -> bytes:
    _demand_whole(vocabulary, draft, sources)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        run_id=draft.run_id,
        created=draft.created,
        config=draft.config,
        versions=draft.versions,
        inputs=Inputs(draft.corpus, _vector_inputs(draft, sources, vocabulary)),
        vocabulary=vocabulary.info,
        embeddings=_embeddings(draft.matrix, vocabulary, matrix_shards),
        examples=_examples(draft, summary, example_shards),
        labels=summary.labels,
        coverage=vocabulary.coverage,
        rejects=_rejects(summary, sources, rejects),
        warnings=[*draft.warnings, *(text for source in sources for text in source.warnings)],
    )
    put_in_force(manifest, draft.output)
    return manifest.to_json()


def put_in_force(manifest: Manifest, output: str) -> None:
    """Writes a manifest into its run, and then in the place of the one in force.

    An engine may make a second attempt while the first is only slow. What comes to it so late
    that a newer run is in force leaves that one there.

    Args:
        manifest: names files that are all there.
        output: URI of the dataset.

    Raises:
        StorageError: it can't be written. The dataset before is in force.
    """
    data = manifest.to_json()
    kept = join(output, run_manifest_path(manifest.run_id))
    is_repeated = exists(kept)
    _write(kept, data)
    if not (is_repeated and _is_newer_in_force(manifest, output)):
        _write(join(output, MANIFEST_PATH), data)


def _write(uri: str, data: bytes) -> None:
    with create_file(uri) as file:
        file.write(data)


def _is_newer_in_force(manifest: Manifest, output: str) -> bool:
    uri = join(output, MANIFEST_PATH)
    if not exists(uri):
        return False
    data = read_file(uri)
    with contextlib.suppress(DataError):
        return parse_manifest(data, uri).created > manifest.created
    return False


def _vector_inputs(
    draft: Draft, sources: Sequence[JoinedSource], vocabulary: WrittenVocabulary
) -> list[VectorsInput]:
    names = list(vocabulary.coverage.by_source)
    return [
        VectorsInput(
            uri=source.spec,
            bytes=source.size,
            fingerprint=fingerprint,
            format=source.layout.format,
            rows=joined.rows,
            dim=source.layout.dim,
            matched=vocabulary.coverage.by_source[names[source.ordinal]],
            duplicates=vocabulary.duplicates.get(source.ordinal, 0) + joined.duplicates,
        )
        for source, fingerprint, joined in zip(
            draft.sources, draft.fingerprints, sources, strict=True
        )
    ]


def _embeddings(
    spec: MatrixSpec, vocabulary: WrittenVocabulary, shards: Iterable[EmbeddingShard]
) -> Embeddings:
    return Embeddings(
        rows=vocabulary.info.size,
        dim=spec.dim,
        dtype=spec.dtype,
        format=spec.format,
        oov=",".join(part.oov for part in spec.parts),
        shards=sorted(shards, key=lambda shard: shard.first_row),
        subword=vocabulary.subword,
    )


def _demand_whole(
    vocabulary: WrittenVocabulary, draft: Draft, joined: Iterable[JoinedSource]
) -> None:
    """Demands that each vector that was joined came to the matrix."""
    for source, of_source in zip(draft.sources, joined, strict=True):
        # Of models, sums come together instead.
        if source.model is None:
            arrived = vocabulary.arrived.get(source.ordinal, 0)
            demand_all(f"{source.name}: vectors for the matrix", of_source.joined, arrived)


def _examples(
    draft: Draft, summary: CorpusSummary, shards: Iterable[tuple[str, ExampleShard]]
) -> Examples:
    spec = draft.examples
    by_split: dict[str, list[ExampleShard]] = {split: [] for split in draft.splits}
    for split, shard in shards:
        by_split[split].append(shard)
    for split, own in by_split.items():
        written = sum(shard.examples for shard in own)
        demand_all(f"examples of {split}", summary.examples.get(split, 0), written)
    return Examples(
        compression=spec.compression,
        max_length=spec.max_length,
        features=example_features(spec.max_length, labelled=spec.labelled),
        splits={
            split: SplitInfo(
                examples=sum(shard.examples for shard in own),
                shards=sorted(own, key=lambda shard: shard.path),
            )
            for split, own in by_split.items()
        },
    )


def _rejects(summary: CorpusSummary, sources: Sequence[JoinedSource], file: RejectsFile) -> Rejects:
    vectors: dict[str, int] = {}
    for source in sources:
        for reason, number in source.rejects.items():
            vectors[reason] = vectors.get(reason, 0) + number
    return Rejects(summary.rejects, vectors, file.path, file.sha256)
