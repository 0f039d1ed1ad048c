"""The flags of ``embprep vectors``."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from formats.blocks import SPLITS
from formats.corpus.ranges import AUTO, FORMATS
from formats.splits import parse_splits
from formats.tokenizers import make_tokenizer
from pipeline.flag_values import at_least, parsed_by, split_names
from pipeline.flags import FlagParser, read_flags

LSA, WORD2VEC, FASTTEXT = "lsa", "word2vec", "fasttext"
METHODS = (LSA, WORD2VEC, FASTTEXT)

# Flags that only some methods have.
_ONLY_FOR = {
    "window": (WORD2VEC, FASTTEXT),
    "epochs": (WORD2VEC, FASTTEXT),
    "sg": (WORD2VEC, FASTTEXT),
    "workers": (WORD2VEC, FASTTEXT),
    "bucket": (FASTTEXT,),
}


@dataclasses.dataclass(frozen=True)
class VectorsConfig:
    """The flags of ``embprep vectors``.

    ``range_bytes`` is no flag: it is how the corpus is cut for parallel work. LSA vectors of a
    larger corpus depend on it a little, so it is the same wherever the job runs.
    """

    method: str
    corpus: list[str]
    output: str
    dim: int = 100
    min_count: int = 5
    max_tokens: int | None = None
    seed: int = 0
    window: int = 5
    epochs: int = 5
    sg: int = 1
    workers: int = 1
    bucket: int = 2_000_000
    corpus_format: str = AUTO
    text_column: str | None = None
    splits: dict[str, float] = dataclasses.field(
        default_factory=lambda: dict(zip(SPLITS, (0.8, 0.1, 0.1), strict=True))
    )
    vocabulary_splits: list[str] = dataclasses.field(default_factory=lambda: list(SPLITS))
    tokenizer: str = "basic"
    max_reject_fraction: float = 0.01
    range_bytes: int = 8 << 20


def parse_vectors_flags(arguments: Sequence[str]) -> tuple[VectorsConfig, PipelineOptions]:
    """Reads the flags of ``embprep vectors``.

    Args:
        arguments: the command line behind ``vectors``.

    Returns:
        The configuration, and the options for Beam.

    Raises:
        UsageError: an unknown flag, or a value that can't be used.
    """
    parser = _parser()
    fields, options = read_flags(parser, arguments, ("method", "corpus", "output"))
    for name, methods in _ONLY_FOR.items():
        if name in fields and fields["method"] not in methods:
            parser.error(f"--{name} means nothing to --method {fields['method']}")
    config = VectorsConfig(**fields)
    make_tokenizer(config.tokenizer)
    return config, options


def _parser() -> FlagParser:
    parser = FlagParser(
        prog="embprep vectors",
        description="Makes word vectors from a corpus and writes them as a word2vec binary. Flags "
        "that are not listed here go to Beam.",
        argument_default=None,
    )
    add = parser.add_argument
    add("--config", metavar="FILE", help="TOML file with any of these flags; the line wins")
    add("--verbose", action="store_true", default=None, help="show tracebacks and Beam's log")
    add("--method", choices=METHODS, help="lsa: truncated SVD of the tf-idf matrix, by Beam; "
        "word2vec or fasttext: by gensim, on this machine")  # fmt: skip
    add("--output", metavar="FILE", help="the word2vec binary; fasttext writes the model, as "
        "fastText's own .bin, beside it")  # fmt: skip
    vectors = parser.add_argument_group("vectors")
    add = vectors.add_argument
    add("--dim", type=at_least(1), help="dimensions of a vector; 100")
    add("--min_count", type=at_least(1), help="rarer tokens get no vector; 5")
    add("--max_tokens", type=at_least(3), help="as in build: the most tokens, [PAD] and [UNK] "
        "counted, which get no vector")  # fmt: skip
    add("--seed", type=at_least(0), help="of what is drawn; 0")
    add("--window", type=at_least(1), help="words on each side; 5 (not lsa)")
    add("--epochs", type=at_least(1), help="passes over the corpus; 5 (not lsa)")
    add("--sg", type=int, choices=(0, 1), help="1: skip-gram, 0: CBOW; 1 (not lsa)")
    add("--workers", type=at_least(1), help="gensim's threads; more than 1 give other vectors "
        "in each run; 1 (not lsa)")  # fmt: skip
    add("--bucket", type=at_least(1), help="rows for n-grams; 2000000 (fasttext)")
    corpus = parser.add_argument_group("corpus")
    add = corpus.add_argument
    add("--corpus", action="append", metavar="[SPLIT=]PATTERN", help="files, globs or a directory "
        "of class folders; repeatable; SPLIT is train, validation or test")  # fmt: skip
    add("--corpus_format", choices=(AUTO, *FORMATS), help="auto")
    add("--text_column", help="name, or 0-based index where there is no header; text")
    add("--splits", type=parsed_by(parse_splits), help="as in build; "
        "train=0.8,validation=0.1,test=0.1")  # fmt: skip
    add("--vocabulary_splits", type=split_names, help="the splits that are used; "
        "train,validation,test, since no label is read")  # fmt: skip
    add("--tokenizer", help="basic, whitespace, regex:PATTERN or module:function; basic")
    add("--max_reject_fraction", type=_fraction, help="more bad rows than this fail the job; 0.01")
    return parser


def _fraction(text: str) -> float:
    try:
        fraction = float(text)
    except ValueError:
        fraction = -1.0
    if not 0 <= fraction <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a fraction from 0 to 1")
    return fraction
