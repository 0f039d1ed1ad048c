"""``embprep vectors``: word vectors from a corpus of one's own."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import AsList, AsSingleton

from formats.blocks import VOCABULARY
from formats.corpus.plan import CorpusFile, plan_corpus
from formats.corpus.ranges import CorpusRange
from formats.counts import merge_counts, order_counts
from formats.errors import DataError, UsageError
from formats.lsa import inverse_document_frequency
from formats.vectors.write_word2vec import (
    demand_tokens_without_separators,
    write_word2vec_header,
    write_word2vec_rows,
)
from pipeline.engine import make_pipeline, run_pipeline
from pipeline.gensim_training import Sentences, train_by_gensim
from pipeline.output_file import check_output_file
from pipeline.plan import inputs_opened, match_corpus, split_of
from pipeline.vectors_flags import FASTTEXT, LSA, VectorsConfig, parse_vectors_flags
from transforms.build_vocabulary import CountTokens
from transforms.count_documents import CountDocuments
from transforms.decompose_documents import TERMS, DecomposeDocuments
from transforms.read_corpus import ReadCorpus
from transforms.storage import (
    create_file,
    delete,
    open_file,
    partial_name,
    read_file,
    use_options,
)
from transforms.summarise_corpus import CorpusSummary, SummariseCorpus
from transforms.tokenize import Tokenize

_WRITE_ROWS = 10_000


class Counted(NamedTuple):
    """What a corpus holds.

    Attributes:
        vocabulary: block of ``formats.blocks.VOCABULARY``, the tokens that get a vector.
        documents: int64 [tokens], the rows that each comes in; None if that wasn't counted.
        rows: rows of the corpus.
        words: words of the corpus, those without a vector too.
        rejects: rows that can't be used, by reason.
    """

    vocabulary: Any
    documents: Any
    rows: int
    words: int
    rejects: dict[str, int]


def vectors(arguments: Sequence[str]) -> int:
    """Runs ``embprep vectors``.

    Args:
        arguments: the command line behind ``vectors``.

    Returns:
        The exit code, 0.

    Raises:
        UsageError: flags that can't be used.
        DataError: bad input.
    """
    started = time.monotonic()
    config, options = parse_vectors_flags(arguments)
    counted = train_vectors(config, options)
    print(
        f"{config.output}: {counted.vocabulary.num_rows:,} rows of {config.dim} by "
        f"{config.method} from {counted.rows:,} corpus rows of {counted.words:,} words, "
        f"{time.monotonic() - started:.1f} s"
    )
    for reason, number in counted.rejects.items():
        print(f"embprep: warning: {number:,} corpus rows left out: {reason}", file=sys.stderr)
    if config.method == FASTTEXT:
        print(f"{model_path(config.output)}: the model, with the vectors of n-grams")
    return 0


def model_path(output: str) -> str:
    """Where the fastText model goes that belongs to an output."""
    folder, mark, name = output.rpartition("/")
    stem, dot, _ = name.rpartition(".")
    return f"{folder}{mark}{stem if stem and dot else name}.fasttext.bin"


def train_vectors(config: VectorsConfig, options: PipelineOptions) -> Counted:
    """Makes word vectors and writes them; the output is there whole afterwards, or as before.

    The corpus is read once to count its tokens, by Beam, and then once for LSA, again by Beam, or
    ``epochs`` times by gensim in this process.

    Args:
        config: the flags.
        options: Beam's options, which name the engine.

    Raises:
        UsageError: flags that can't be used; nothing was run.
        DataError: bad input; nothing was written.
    """
    use_options(options)
    outputs = [config.output, *([model_path(config.output)] * (config.method == FASTTEXT))]
    for uri in outputs:
        check_output_file(uri)
    with inputs_opened():
        ranges, corpus_bytes = plan_text(config)
    counted = _count(config, options, ranges, corpus_bytes)
    demand_tokens_without_separators(counted.vocabulary.column("token"), "word2vec binary")
    if config.method == LSA:
        _train_lsa(config, options, ranges, corpus_bytes, counted)
    else:
        _train_by_gensim(config, ranges, counted)
    return counted


def plan_text(config: VectorsConfig) -> tuple[list[CorpusRange], int]:
    """The ranges of all corpus files, read without labels, and the bytes of the files."""
    ranges: list[CorpusRange] = []
    size = files_before = 0
    for spec in config.corpus:
        split, pattern = split_of(spec)
        files = match_corpus(pattern, f"--corpus {spec}")
        planned = plan_corpus(
            pattern,
            [CorpusFile(file.uri, file.size) for file in files],
            format=config.corpus_format,
            text_column=config.text_column,
            label_column="",
            split=split,
            first_file=files_before,
            range_bytes=config.range_bytes,
            open_file=open_file,
        )
        ranges.extend(planned.ranges)
        files_before += len(files)
        size += sum(file.size for file in files)
    return ranges, size


def _count(
    config: VectorsConfig,
    options: PipelineOptions,
    ranges: Sequence[CorpusRange],
    corpus_bytes: int,
) -> Counted:
    # An engine gives back nothing but files.
    uri = partial_name(config.output)
    pipeline = make_pipeline(options, corpus_bytes)
    rows, rejects = pipeline | "CountedRanges" >> beam.Create(ranges) | ReadCorpus()
    tokens = rows | Tokenize(config.tokenizer, config.splits)
    summary = (tokens, rejects) | SummariseCorpus(config.max_reject_fraction)
    counts = tokens | CountTokens(config.vocabulary_splits)
    documents = tokens | CountDocuments(config.vocabulary_splits) if config.method == LSA else None
    _ = (
        pipeline
        | "Once" >> beam.Create([uri])
        | "WriteCounts"
        >> beam.Map(
            _write_counts,
            AsSingleton(summary),
            AsList(counts),
            [] if documents is None else AsList(documents),
        )
    )
    try:
        run_pipeline(pipeline)
        return _read_counts(config, read_file(uri))
    finally:
        delete(uri)


def _write_counts(
    uri: str, summary: CorpusSummary, counts: list[Any], documents: list[Any]
) -> None:
    schema = VOCABULARY.with_metadata({"summary": json.dumps([summary.examples, summary.rejects])})
    with create_file(uri) as file, pa.ipc.new_stream(file.stream, schema) as writer:
        for blocks in (counts, documents):
            writer.write_batch(merge_counts(blocks))


def _read_counts(config: VectorsConfig, data: bytes) -> Counted:
    with pa.ipc.open_stream(data) as reader:
        examples, rejects = json.loads(reader.schema.metadata[b"summary"])
        counts, documents = reader
    vocabulary = order_counts(counts, config.min_count, config.max_tokens)
    rows = sum(examples.get(split, 0) for split in config.vocabulary_splits)
    if not vocabulary.num_rows:
        raise DataError(
            "no token gets a vector: the splits of --vocabulary_splits hold none that comes "
            f"--min_count {config.min_count} times; check --corpus, --splits and --min_count"
        )
    words = int(pc.sum(counts.column("count")).as_py())
    if config.method != LSA:
        return Counted(vocabulary, None, rows, words, rejects)
    most = min(rows, vocabulary.num_rows)
    if config.dim > most:
        raise UsageError(
            f"--dim {config.dim}: lsa has at most as many dimensions as the corpus has rows "
            f"({rows:,}) and the vocabulary tokens ({vocabulary.num_rows:,}); give at most {most}"
        )
    places = pc.index_in(vocabulary.column("token"), documents.column("token"))
    in_rows = documents.column("count").take(places).to_numpy()
    return Counted(vocabulary, in_rows, rows, words, rejects)


def _train_lsa(
    config: VectorsConfig,
    options: PipelineOptions,
    ranges: Sequence[CorpusRange],
    corpus_bytes: int,
    counted: Counted,
) -> None:
    idf = inverse_document_frequency(counted.documents, counted.rows)
    terms = pa.record_batch([counted.vocabulary.column("token"), pa.array(idf)], schema=TERMS)
    pipeline = make_pipeline(options, corpus_bytes)
    _ = (
        pipeline
        | DecomposeDocuments(
            ranges,
            terms,
            config.tokenizer,
            config.splits,
            config.vocabulary_splits,
            config.dim,
            config.seed,
        )
        | "WriteVectors" >> beam.Map(_write_block, config.output)
    )
    run_pipeline(pipeline)


def _write_block(block: Any, output: str) -> None:
    vectors = block.column("vector")
    dim = vectors.type.list_size
    _write_vectors(output, block.column("token"), vectors.flatten().to_numpy().reshape(-1, dim))


def _train_by_gensim(
    config: VectorsConfig, ranges: Sequence[CorpusRange], counted: Counted
) -> None:
    sentences = Sentences(
        ranges, config.tokenizer, config.splits, config.vocabulary_splits, config.epochs
    )
    tokens, counts = counted.vocabulary.column("token"), counted.vocabulary.column("count")
    model = train_by_gensim(
        config.method,
        sentences,
        dict(zip(tokens.to_pylist(), counts.to_pylist(), strict=True)),
        counted.rows,
        counted.words,
        config.epochs,
        vector_size=config.dim,
        min_count=config.min_count,
        window=config.window,
        sg=config.sg,
        seed=config.seed,
        workers=config.workers,
        **({"bucket": config.bucket} if config.method == FASTTEXT else {}),
    )
    if config.method == FASTTEXT:
        from gensim.models.fasttext import save_facebook_model

        with create_file(model_path(config.output)) as file:
            save_facebook_model(model, file.stream)
    _write_vectors(config.output, tokens, model.wv.vectors)


def _write_vectors(output: str, tokens: Any, matrix: Any) -> None:
    with create_file(output) as file:
        write_word2vec_header(file.stream, *matrix.shape)
        for row in range(0, len(tokens), _WRITE_ROWS):
            some = tokens.slice(row, _WRITE_ROWS).to_pylist()
            write_word2vec_rows(file.stream, some, matrix[row : row + _WRITE_ROWS])
