"""The job: one Beam pipeline from a corpus and vector files to a published dataset."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import pyarrow as pa

from formats.dataset.vocabulary import read_vocabulary_text
from formats.errors import UsageError
from formats.oov import SUBWORD
from formats.vectors.forms import UNK_TOKENS
from formats.vectors.spec import parse_spec
from pipeline.config import BuildConfig
from pipeline.plan import Plan, subword_source
from pipeline.vocabulary_size import choose_join, parts_of_counts
from transforms.build_vocabulary import BuildVocabulary, CountTokens
from transforms.encode_examples import EncodeExamples
from transforms.join_vectors import JoinVectors
from transforms.publish import Draft, Publish, Written
from transforms.read_corpus import ReadCorpus
from transforms.storage import read_file
from transforms.summarise_corpus import SummariseCorpus
from transforms.take_vector_tokens import TakeVectorTokens
from transforms.tokenize import Tokenize
from transforms.write_examples import WriteExamples
from transforms.write_examples_in_order import WriteExamplesInOrder
from transforms.write_matrix import WriteEmbeddingMatrix
from transforms.write_rejects import WriteRejects
from transforms.write_vocabulary import WriteVocabulary


def add_build(pipeline: beam.Pipeline, config: BuildConfig, plan: Plan, draft: Draft) -> None:
    """Adds the whole job to a pipeline.

    The corpus is read twice, once for the vocabulary and once for the examples: reading it again
    costs less than keeping it, and needs no memory.

    Args:
        pipeline: the pipeline.
        config: the flags.
        plan: what is read.
        draft: what is known of the manifest, and where the dataset goes.
    """
    output, run_id = draft.output, draft.run_id

    rows, rejects = pipeline | "CountedRanges" >> beam.Create(plan.ranges) | ReadCorpus()
    tokens = rows | Tokenize(config.tokenizer, config.splits)
    summary = (tokens, rejects) | SummariseCorpus(config.max_reject_fraction[0])

    vocabulary = (
        tokens
        | CountTokens(config.vocabulary_splits, parts_of_counts(plan.corpus_bytes))
        | BuildVocabulary(
            max_tokens=config.max_tokens,
            min_count=config.min_count,
            given=_given_vocabulary(pipeline, config),
            vector_tokens=_vector_tokens(pipeline, config, plan),
            summary=summary,
            splits=config.vocabulary_splits,
        )
    )

    unk_tokens = UNK_TOKENS if config.unk_token is None else [config.unk_token]
    joined = vocabulary | JoinVectors(
        plan.sources,
        config.vector_range_bytes,
        config.max_reject_fraction[1],
        config.fallback,
        unk_tokens,
        _subword_sources(plan),
        config.unicode_errors,
        config.model_range_bytes,
        choose_join(config, plan.corpus_bytes),
    )
    matrix = joined | WriteEmbeddingMatrix(vocabulary, draft.matrix, output, run_id)
    written_vocabulary = vocabulary | WriteVocabulary(
        matrix.served, source_names(plan), config.fallback, unk_tokens, output, run_id
    )

    written_rejects = (
        (rejects, joined.rejects) | "AllRejects" >> beam.Flatten() | WriteRejects(output, run_id)
    )

    examples = _examples(pipeline, config, plan, draft, vocabulary, summary)
    written = Written(
        summary, written_vocabulary, joined.sources, matrix.shards, examples, written_rejects
    )
    _ = pipeline | Publish(draft, written)


def _examples(
    pipeline: beam.Pipeline,
    config: BuildConfig,
    plan: Plan,
    draft: Draft,
    vocabulary: Any,
    summary: Any,
) -> Any:
    output, run_id = draft.output, draft.run_id
    if config.shuffle_seed is None:
        return pipeline | WriteExamplesInOrder(
            plan.ranges, vocabulary, summary, config.tokenizer, config.splits, draft.examples,
            output, run_id,
        )  # fmt: skip
    rows, _ = (
        pipeline
        | "EncodedRanges" >> beam.Create(plan.ranges)
        | "ReadCorpusAgain" >> ReadCorpus("EncodeExamples")
    )
    return (
        rows
        | "TokenizeAgain" >> Tokenize(config.tokenizer, config.splits)
        | EncodeExamples(vocabulary, summary, draft.examples)
        | WriteExamples(summary, draft.examples, plan.splits, output, run_id)
    )


def _given_vocabulary(pipeline: beam.Pipeline, config: BuildConfig) -> Any:
    if config.vocabulary is None:
        return None
    try:
        data = read_file(config.vocabulary)
    except OSError as error:
        raise UsageError(f"--vocabulary {config.vocabulary}: can't be read: {error}") from error
    read_vocabulary_text(data, config.vocabulary)
    # Read again by a worker: a long one would make the graph large, and slow to be sent about.
    return (
        pipeline
        | "GivenVocabulary" >> beam.Impulse()
        | "ReadVocabulary"
        >> beam.Map(_read_vocabulary, config.vocabulary).with_output_types(pa.RecordBatch)
    )


def _read_vocabulary(_: bytes, uri: str) -> Any:
    return pa.record_batch([read_vocabulary_text(read_file(uri), uri)], ["token"])


def _vector_tokens(pipeline: beam.Pipeline, config: BuildConfig, plan: Plan) -> Any:
    if not config.vector_tokens:
        return None
    return pipeline | TakeVectorTokens(plan.sources, config.vector_tokens, config.unicode_errors)


def _subword_sources(plan: Plan) -> list[int]:
    """The models that make vectors of subwords, by their ordinals."""
    wanting = [part for part in plan.parts if part.oov == SUBWORD]
    makers = [subword_source(part, plan.sources) for part in wanting]
    return [maker for maker in makers if maker is not None]


def source_names(plan: Plan) -> list[str]:
    """What the vector files are called in the dataset: by their file names, if these differ."""
    names = [parse_spec(source.spec).place.rpartition("/")[2] for source in plan.sources]
    specs = [source.spec for source in plan.sources]
    return names if len(set(names)) == len(names) else specs
