"""What a build is going to read, found out and checked before anything runs."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from formats.blocks import SPLITS, UNASSIGNED_SPLIT
from formats.corpus.plan import CorpusFile, plan_corpus
from formats.corpus.ranges import CorpusRange
from formats.dataset.manifest import CorpusInput
from formats.errors import UsageError
from formats.oov import SUBWORD
from formats.vectors.array_rows import ArrayLayout
from formats.vectors.source import VectorSource, demand_equal_dimensions, open_source
from formats.vectors.spec import known_keys, parse_spec
from pipeline.config import BuildConfig
from transforms.object_store import StoredFile
from transforms.storage import exists, is_local, join, match_files, open_file
from transforms.write_matrix import FIRST, MatrixPart

_FINGERPRINT_BYTES = 64 << 10


class Plan(NamedTuple):
    """The inputs of a build.

    Attributes:
        corpus: what the manifest says of each ``--corpus``.
        ranges: the ranges of all corpus files, in the order of the input.
        labelled: whether the corpus has labels.
        splits: the splits that examples can get into.
        sources: the vector files.
        fingerprints: by source, what identifies its content.
        parts: what stands side by side in a row of the embedding matrix.
        corpus_bytes: bytes of the corpus files as they are stored.
        vector_bytes: bytes of the vector files as they are stored.
        warnings: what the user should know of the inputs.
    """

    corpus: list[CorpusInput]
    ranges: list[CorpusRange]
    labelled: bool
    splits: list[str]
    sources: list[VectorSource]
    fingerprints: list[str]
    parts: tuple[MatrixPart, ...]
    corpus_bytes: int
    vector_bytes: int
    warnings: list[str]


class CorpusPlan(NamedTuple):
    """The corpus of a build; the attributes are those of ``Plan``."""

    corpus: list[CorpusInput]
    ranges: list[CorpusRange]
    labelled: bool
    splits: list[str]
    corpus_bytes: int
    warnings: list[str]


def plan_corpora(config: BuildConfig) -> CorpusPlan:
    """Finds the corpus files that the flags name, and what is in them.

    Raises:
        UsageError: a pattern that matches nothing, a column that is missing, a file that can't
            be opened.
        DataError: a file that is not what it should be.
    """
    with inputs_opened():
        return _plan_corpora(config)


def plan_build(
    config: BuildConfig, corpora: CorpusPlan, trained: Mapping[str, str] | None = None
) -> Plan:
    """Finds the vector files that the flags name, and what is in them.

    Args:
        config: the flags.
        corpora: the corpus.
        trained: where the vectors are that were trained for this build, by their ``--vectors``.

    Raises:
        UsageError: an archive's member that is not there, vector files of different
            dimensions, a file that can't be opened.
        DataError: a file that is not what it should be.
    """
    with inputs_opened():
        sources, fingerprints = _plan_vectors(config, trained or {})
    parts = plan_parts(config, sources)
    return Plan(
        corpus=corpora.corpus,
        ranges=corpora.ranges,
        labelled=corpora.labelled,
        splits=corpora.splits,
        sources=sources,
        fingerprints=fingerprints,
        parts=parts,
        corpus_bytes=corpora.corpus_bytes,
        vector_bytes=sum(source.size for source in sources),
        warnings=[*corpora.warnings, *_without_subwords(parts, sources)],
    )


@contextlib.contextmanager
def inputs_opened() -> Iterator[None]:
    """Reports a file that the system doesn't let us read as a ``UsageError``."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"an input can't be read: {error}") from error


def _plan_corpora(config: BuildConfig) -> CorpusPlan:
    inputs: list[CorpusInput] = []
    ranges: list[CorpusRange] = []
    labelled: set[bool] = set()
    warnings: list[str] = []
    times: Counter[str] = Counter()
    files_before = 0
    for spec in config.corpus:
        split, pattern = split_of(spec)
        files = match_corpus(pattern, f"--corpus {spec}")
        _demand_apart(files, spec, config.output)
        times.update(file.uri for file in files)
        planned = plan_corpus(
            pattern,
            [CorpusFile(file.uri, file.size) for file in files],
            format=config.corpus_format,
            text_column=config.text_column,
            label_column=config.label_column,
            split=split,
            first_file=files_before,
            range_bytes=config.corpus_range_bytes,
            open_file=open_file,
        )
        files_before += len(files)
        labelled.add(planned.labelled)
        ranges.extend(planned.ranges)
        warnings.extend(planned.warnings)
        inputs.append(
            CorpusInput(
                uri=pattern,
                bytes=sum(file.size for file in files),
                fingerprint=_fingerprint(files),
                split=SPLITS[split] if split != UNASSIGNED_SPLIT else None,
                format=planned.format,
                files=len(files),
            )
        )
    if len(labelled) > 1:
        raise UsageError("--corpus: some have labels and some have none; give them apart")
    if repeated := [uri for uri, number in times.items() if number > 1]:
        warnings.append(
            f"--corpus: {len(repeated)} files are given more than once, such as {repeated[0]}; "
            "their rows count each time"
        )
    return CorpusPlan(
        corpus=inputs,
        ranges=ranges,
        labelled=labelled.pop(),
        splits=_possible_splits(config, ranges),
        corpus_bytes=sum(corpus.bytes for corpus in inputs),
        warnings=warnings,
    )


def split_of(spec: str) -> tuple[int, str]:
    """Parts ``[SPLIT=]PATTERN``: the split's index or UNASSIGNED_SPLIT, and the pattern."""
    name, mark, pattern = spec.partition("=")
    if mark and name in SPLITS:
        return SPLITS.index(name), pattern
    return UNASSIGNED_SPLIT, spec


def match_corpus(pattern: str, flag: str) -> list[StoredFile]:
    """The files that a pattern matches; a ``UsageError`` naming the flag if there are none."""
    files = match_files(pattern)
    if not files:
        raise UsageError(f"{flag}: no file matches; check the path, or the splits' names "
                         f"({', '.join(SPLITS)}) before an =")  # fmt: skip
    return files


def _demand_apart(files: Sequence[StoredFile], spec: str, output: str) -> None:
    """Refuses a corpus that holds earlier runs, whose vocabularies would be read as text."""

    def place(uri: str) -> str:
        return os.path.abspath(uri) if is_local(uri) else uri

    runs = place(join(output, "runs")) + "/"
    if inside := [file.uri for file in files if place(file.uri).startswith(runs)]:
        raise UsageError(
            f"--corpus {spec}: matches files of the dataset at --output {output}, such as "
            f"{inside[0]}; keep the dataset outside of the corpus"
        )


def vector_file(spec: str, flag: str) -> StoredFile:
    """The one file that a ``--vectors`` names.

    Raises:
        UsageError: there is no such file, or it is a directory or a glob.
    """
    uri = parse_spec(spec).path
    files = match_files(uri)
    if not files:
        query = f"; behind a ? {known_keys()}" if "?" in uri else ""
        raise UsageError(f"{flag} {spec}: no such file{query}")
    if [file.uri for file in files] != [uri]:
        raise UsageError(f"{flag} {spec}: a directory or a glob; give one file, such as "
                         f"{files[0].uri}")  # fmt: skip
    return files[0]


def _plan_vectors(
    config: BuildConfig, trained: Mapping[str, str]
) -> tuple[list[VectorSource], list[str]]:
    sources, fingerprints = [], []
    for ordinal, spec in enumerate(config.vectors):
        place = trained.get(spec, spec)
        file = vector_file(place, "--vectors")
        source = open_source(
            ordinal, place, file.size, open_file, exists=exists, allow_pickle=config.allow_pickle
        )
        sources.append(source._replace(spec=spec))
        tokens = source.layout.tokens_uri if isinstance(source.layout, ArrayLayout) else None
        fingerprints.append(_fingerprint([file, *(match_files(tokens) if tokens else [])]))
    return sources, fingerprints


def plan_parts(config: BuildConfig, sources: Sequence[VectorSource]) -> tuple[MatrixPart, ...]:
    """What stands side by side in a row of the embedding matrix.

    Raises:
        UsageError: files of different dimensions that should fill in for each other, or
            subwords wanted of files that are no fastText models.
    """
    if config.combine == FIRST:
        dim = demand_equal_dimensions(sources)
        ordinals = tuple(source.ordinal for source in sources)
        parts = [MatrixPart(ordinals, dim, config.oov[0])]
    else:
        policies = config.oov * (len(sources) if len(config.oov) == 1 else 1)
        parts = [
            MatrixPart((source.ordinal,), source.layout.dim, policy)
            for source, policy in zip(sources, policies, strict=True)
        ]
    for part in parts:
        if part.oov == SUBWORD and not any(sources[ordinal].model for ordinal in part.sources):
            names = ", ".join(sources[ordinal].name for ordinal in part.sources)
            raise UsageError(
                f"--oov subword: needs a fastText model (.bin), and {names} is none; give one, or "
                "another --oov"
            )
    return tuple(parts)


def _without_subwords(parts: Sequence[MatrixPart], sources: Sequence[VectorSource]) -> list[str]:
    return [
        f"{sources[part.sources[0]].name}: --oov subword makes nothing of it, since the model was "
        "trained without character n-grams: the rows of words that it doesn't know are zero"
        for part in parts
        if part.oov == SUBWORD and subword_source(part, sources) is None
    ]


def subword_source(part: MatrixPart, sources: Sequence[VectorSource]) -> int | None:
    """The first source of a part that can make vectors of subwords."""
    return next(
        (
            ordinal
            for ordinal in part.sources
            if (model := sources[ordinal].model) is not None and model.head.has_ngrams
        ),
        None,
    )


def _possible_splits(config: BuildConfig, ranges: Sequence[CorpusRange]) -> list[str]:
    given = {work.split for work in ranges}
    return [
        split
        for number, split in enumerate(SPLITS)
        if number in given or (UNASSIGNED_SPLIT in given and config.splits.get(split, 0) > 0)
    ]


def _fingerprint(files: Sequence[StoredFile]) -> str:
    """Identifies the content of files by their sizes and the first and last bytes of each.

    Reading terabytes only to name them would cost more than the build; a file that changed in
    its middle alone and kept its size is not told apart.
    """
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.size.to_bytes(8, "little"))
        with open_file(file.uri) as stream:
            digest.update(stream.read(_FINGERPRINT_BYTES))
            if file.size > _FINGERPRINT_BYTES:
                stream.seek(max(file.size - _FINGERPRINT_BYTES, _FINGERPRINT_BYTES))
                digest.update(stream.read(_FINGERPRINT_BYTES))
    return f"sha256-of-ends:{digest.hexdigest()}"
