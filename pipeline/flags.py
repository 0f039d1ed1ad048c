"""The flags of ``embprep build``: the command line, the TOML file, and those that are Beam's."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, TypeVar

from apache_beam.options.pipeline_options import PipelineOptions

from formats.dataset.embedding_matrix import MATRIX_FORMATS
from formats.errors import UsageError
from formats.oov import POLICIES
from formats.splits import parse_splits
from formats.vectors.forms import RULES
from formats.vectors.unicode_errors import UNICODE_ERRORS
from pipeline.config import BuildConfig
from pipeline.flag_values import (
    at_least,
    fallback_rules,
    one_or_several,
    parsed_by,
    reject_fractions,
    run_id,
    seed,
    split_names,
)
from transforms.find_vectors import JOINS
from transforms.storage import read_file
from transforms.write_matrix import COMBINE, CONCAT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_COMMA_SEPARATED = ("vocabulary_splits", "fallback", "max_reject_fraction", "oov")
# These concern how the command is called, and mean nothing in a file.
_LINE_ONLY = ("config", "help", "verbose")

_View = TypeVar("_View", bound=PipelineOptions)


class FlagParser(argparse.ArgumentParser):
    """Reports what is wrong as a ``UsageError`` instead of printing the usage and exiting."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Raises the error that argparse found."""
        raise UsageError(f"{message}; see {self.prog} --help")


def read_flags(
    parser: FlagParser, arguments: Sequence[str], needed: Sequence[str]
) -> tuple[dict[str, Any], PipelineOptions]:
    """Reads the command line and the TOML file that it may name.

    Args:
        parser: knows the command's own flags; all others must be Beam's.
        arguments: the command line behind the command.
        needed: names of flags that must be given.

    Returns:
        The values of the flags that were given, by name, and the options for Beam.

    Raises:
        UsageError: an unknown flag, one that is missing, or a value that can't be used.
    """
    early, _ = parser.parse_known_args(arguments)
    if early.config:
        arguments = [*_toml_arguments(early.config, arguments, parser), *arguments]
    values, others = parser.parse_known_args(arguments)
    beam_options = _beam_options(others, parser)
    for name in needed:
        if not getattr(values, name):
            parser.error(f"--{name} is missing")
    given = {name: value for name, value in vars(values).items() if value is not None}
    return {k: v for k, v in given.items() if k not in _LINE_ONLY}, beam_options


def read_arguments(
    parser: FlagParser, arguments: Sequence[str]
) -> tuple[argparse.Namespace, PipelineOptions]:
    """Reads the command line of a command that runs no job, but may reach remote files.

    Args:
        parser: knows the command's own flags and arguments; all others must be Beam's.
        arguments: the command line behind the command.

    Returns:
        What was given, and the options for Beam.

    Raises:
        UsageError: an unknown flag, one that is missing, or a value that can't be used.
    """
    of_beam = beam_parser(parser.prog)
    # Beam's first: only who knows a flag can tell its value from an argument.
    given, others = of_beam.parse_known_args(arguments)
    values = {k: v for k, v in vars(given).items() if v != of_beam.get_default(k)}
    return parser.parse_args(others), PipelineOptions.from_dictionary(values)


def parse_build_flags(arguments: Sequence[str]) -> tuple[BuildConfig, PipelineOptions]:
    """Reads the flags of ``embprep build``.

    Args:
        arguments: the command line behind ``build``.

    Returns:
        The configuration, and the options for Beam.

    Raises:
        UsageError: an unknown flag, or a value that can't be used.
    """
    parser = build_parser()
    fields, beam_options = read_flags(parser, arguments, ("corpus", "vectors", "output"))
    if fields.get("shuffle_seed") == "none":
        fields["shuffle_seed"] = None
    config = BuildConfig(**fields)
    _check_together(config, parser)
    return config, beam_options


def build_parser() -> FlagParser:
    """The parser of the flags of ``embprep build``; those that are Beam's are none of them."""
    parser = FlagParser(
        prog="embprep build",
        description="Builds a dataset from a corpus and word-vector files. Flags that are not "
        "listed here go to Beam, such as --runner and --direct_num_workers.",
        argument_default=None,
    )
    add = parser.add_argument
    add("--config", metavar="FILE", help="TOML file with any of these flags; the line wins")
    add("--verbose", action="store_true", default=None, help="show tracebacks and Beam's log")
    corpus = parser.add_argument_group("corpus")
    add = corpus.add_argument
    add("--corpus", action="append", metavar="[SPLIT=]PATTERN", help="files, globs or a directory "
        "of class folders; repeatable; SPLIT is train, validation or test")  # fmt: skip
    add("--corpus_format", choices=("auto", "text", "fasttext", "csv", "tsv", "jsonl", "parquet",
        "directory"), help="auto")  # fmt: skip
    add("--text_column", help="name, or 0-based index where there is no header; text")
    add("--label_column", help="the same for the label, empty for a corpus without; label")
    add("--splits", type=parsed_by(parse_splits), help="fractions for a corpus without SPLIT; "
        "train=0.8,validation=0.1,test=0.1")  # fmt: skip
    add("--max_reject_fraction", type=reject_fractions, metavar="CORPUS[,VECTORS]",
        help="more bad rows than this fail the job; 0.01,0")  # fmt: skip
    vocabulary = parser.add_argument_group("vocabulary")
    add = vocabulary.add_argument
    add("--tokenizer", help="basic, whitespace, regex:PATTERN or module:function; basic")
    add("--max_tokens", type=at_least(3), help="vocabulary size with [PAD] and [UNK] counted")
    add("--min_count", type=at_least(1), help="rarer tokens stay out; 1")
    add("--vocabulary", metavar="FILE", help="take this vocabulary.txt instead of building one")
    add("--vocabulary_splits", type=split_names, help="the splits that are counted; train")
    add("--vector_tokens", type=at_least(0), metavar="N", help="the first N tokens of the vector "
        "files enter the vocabulary too; 0")  # fmt: skip
    matrix = parser.add_argument_group("embedding matrix")
    add = matrix.add_argument
    add("--vectors", action="append", metavar="PATH[#MEMBER][?KEY=VALUE]", help="GloVe, word2vec "
        "or fastText .vec or .bin file, plain, .gz or .zip; .npy or safetensors, with one token a "
        "line in ?tokens=PATH; Parquet or Arrow; repeatable")  # fmt: skip
    add("--allow_pickle", action="store_true", default=None, help="load vector files that gensim's "
        "save() wrote; THIS RUNS CODE of whoever made the file")  # fmt: skip
    add("--combine", choices=COMBINE, help="first: an earlier file wins; concat: side by side; "
        "first")  # fmt: skip
    add("--fallback", type=fallback_rules, metavar="RULE[,RULE...]",
        help=f"forms under which a token is looked up, in order: {', '.join(RULES)}; "
        "exact")  # fmt: skip
    add("--oov", type=one_or_several(POLICIES), metavar="POLICY[,POLICY...]", help="rows of words "
        "without a vector: zeros, normal, mean or subword (fastText .bin only); with --combine "
        "concat one for each file; zeros")  # fmt: skip
    add("--oov_seed", type=at_least(0), help="of the rows that --oov normal draws; 0")
    add("--unicode_errors", choices=UNICODE_ERRORS, help="tokens of the vector files that are not "
        "UTF-8: strict fails, replace puts U+FFFD in the place of their bad bytes, skip passes "
        "over them; skip")  # fmt: skip
    add("--unk_token", metavar="TOKEN", help="what the vector files call their vector for unknown "
        "words, which becomes the row of [UNK]; the first of <unk>, unk and UNK that is "
        "there")  # fmt: skip
    add("--join", choices=JOINS, help="how the vocabulary meets the vectors, which changes no "
        "published byte: broadcast, all of it at each worker; shuffle, parted by hash, for one of "
        "millions of tokens; auto, by its size; auto")  # fmt: skip
    add("--dtype", choices=("float32", "float16"), help="float32")
    add("--matrix_shards", type=at_least(1), help="one a 64 MiB")
    add("--matrix_format", choices=MATRIX_FORMATS, help="npy")
    examples = parser.add_argument_group("examples")
    add = examples.add_argument
    add("--max_length", type=at_least(1), help="ids of an example; 100")
    add("--padding", choices=("pre", "post"), help="post")
    add("--truncating", choices=("pre", "post"), help="post")
    add("--example_shards", type=at_least(1), help="of each split; one a 64 MiB")
    add("--compression", choices=("none", "gzip"), help="gzip")
    add("--shuffle_seed", type=seed, help="a number, or none: each range of the input writes its "
        "own shard, in order; 0")  # fmt: skip
    output = parser.add_argument_group("output")
    output.add_argument("--output", metavar="URI", help="where the dataset is published")
    output.add_argument("--run_id", type=run_id, help="name of this run; UTC time and a hash")
    return parser


def _toml_arguments(path: str, given: Sequence[str], parser: FlagParser) -> list[str]:
    """The flags of a TOML file, but for those that the command line gives too."""
    try:
        table = tomllib.loads(read_file(path).decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"--config {path}: can't be read as TOML: {error}") from error
    names = {argument.partition("=")[0] for argument in given}
    known = _actions(parser) | _actions(beam_parser(parser.prog))
    arguments: list[str] = []
    for key, value in table.items():
        flag = f"--{key}"
        if key in _LINE_ONLY:
            raise UsageError(f"--config {path}: {key}: give {flag} on the command line")
        if isinstance(value, dict) and key != "splits":
            raise UsageError(f"--config {path}: {key} is a table; flags stand at the top")
        if flag not in known:
            raise UsageError(f"--config {path}: unknown flag {key}{_hint(flag, known, parser)}")
        if isinstance(value, list) and key not in (*_COMMA_SEPARATED, *_repeatable(known)):
            raise UsageError(f"--config {path}: {key}: one value is wanted, not a list")
        if flag not in names and value is not False:
            arguments.extend(_toml_flags(key, value))
    return arguments


def _toml_flags(key: str, value: Any) -> list[str]:
    """A key of the file as arguments: several only for a flag that can be repeated."""
    if value is True:
        return [f"--{key}"]
    if isinstance(value, dict):
        value = ",".join(f"{split}={fraction}" for split, fraction in value.items())
    if key in _COMMA_SEPARATED and isinstance(value, list):
        value = ",".join(map(str, value))
    return [f"--{key}={item}" for item in (value if isinstance(value, list) else [value])]


def _actions(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return parser._option_string_actions


def _repeatable(actions: dict[str, argparse.Action]) -> list[str]:
    once = (argparse._StoreAction, argparse._StoreConstAction)
    return [name.lstrip("-") for name, action in actions.items() if not isinstance(action, once)]


def _hint(flag: str, known: Iterable[str], parser: FlagParser) -> str:
    close = difflib.get_close_matches(flag, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; see {parser.prog} --help"


class _ViewedOptions(PipelineOptions):
    """Beam's options, with the views kept that are made of them.

    A view parses all flags, and Beam asks for hundreds while a graph is made and run.
    """

    def view_as(self, cls: type[_View]) -> _View:
        views = self.__dict__.setdefault("_views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        view: _View = views[cls]
        return view


def _beam_options(arguments: list[str], parser: FlagParser) -> PipelineOptions:
    """Beam's own flags; one that Beam does not know either is an error, not a warning."""
    of_beam = beam_parser(parser.prog)
    _, unknown = of_beam.parse_known_args(arguments)
    if unknown:
        flag = unknown[0].partition("=")[0]
        hint = _hint(flag, [*_actions(parser), *_actions(of_beam)], parser)
        kind = "flag" if flag.startswith("-") else "argument"
        raise UsageError(f"unknown {kind} {flag}{hint}")
    return _ViewedOptions(arguments)


def beam_parser(prog: str) -> FlagParser:
    """The parser of all flags that are Beam's, for a command of this name."""
    parser = FlagParser(prog=prog, add_help=False, conflict_handler="resolve")
    for options in _subclasses(PipelineOptions):
        if "_add_argparse_args" in vars(options):
            options._add_argparse_args(parser)
    return parser


def _subclasses(kind: type[Any]) -> Iterable[type[Any]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _check_together(config: BuildConfig, parser: FlagParser) -> None:
    if config.vocabulary:
        built = {"max_tokens": None, "min_count": 1, "vector_tokens": 0}
        for name, default in built.items():
            if getattr(config, name) != default:
                parser.error(f"--{name} shapes a vocabulary that is built, so it can't be given "
                             "with --vocabulary")  # fmt: skip
    text = config.text_column or "text"
    if text == ("label" if config.label_column is None else config.label_column):
        parser.error(f"--text_column and --label_column both name {text}; give --label_column "
                     "too, empty for a corpus without labels")  # fmt: skip
    several = len(config.vectors) if config.combine == CONCAT else 1
    if len(config.oov) not in (1, several):
        parser.error(f"--oov names {len(config.oov)} policies; give one, or with --combine concat "
                     "one for each --vectors")  # fmt: skip
    if config.shuffle_seed is None and config.example_shards is not None:
        parser.error("--example_shards can't be given with --shuffle_seed none, where each range "
                     "of the input writes its own shard")  # fmt: skip
