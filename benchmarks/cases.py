"""The cases: what embprep does, what a peer does to the same end, and the ratio to be reached."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import data
from benchmarks.checks import (
    check_arrays,
    check_examples,
    check_files,
    check_matrix,
    check_records,
    of_dataset,
    of_folder,
    of_tft,
    published,
)
from benchmarks.measure import ROOT, run_program

BUILD = ("pipeline", "build")
DIM = 300
MAX_TOKENS, LENGTH, BATCH = 20_000, 100, 128
_WORDS = 20_000
_LINES = 200


class NotRunError(Exception):
    """A case can't be run here, and its result must not look as if it had been."""


@dataclass(frozen=True)
class Setting:
    """Where and how large the cases are.

    Attributes:
        data: folder of the inputs, kept from run to run.
        scale: what rows, lines and vocabularies of vector files are multiplied by.
        tft_python: the interpreter of an environment with tensorflow-transform.
    """

    data: Path
    scale: float = 1.0
    tft_python: str | None = None

    def count(self, full: int) -> int:
        """So many rows or lines at this scale."""
        return max(100, round(full * self.scale))

    def work(self, case: str, side: str) -> Path:
        """The folder that one side of a case writes to; emptied before each run."""
        return self.data / "work" / case / side


@dataclass(frozen=True)
class Side:
    """A program: what it is called, how it is started, and the folder that it writes to."""

    name: str
    command: Sequence[str]
    output: Path


@dataclass(frozen=True)
class Case:
    """Two programs that do the same.

    Attributes:
        title: what they do.
        ours: embprep's side.
        peer: the other one; None where embprep is held against a number of seconds alone.
        target: how many times as long the peer is to take; without a peer, the most seconds.
        inputs: the files that are read, for the bytes a second.
        check: raises a ``MismatchError`` if the two did not make the same.
        memory_target: how many times the memory the peer is to take.
        kernel: the programs time themselves, after their imports.
        parts: a program that tells which part of the work takes how long.
    """

    title: str
    ours: Side
    peer: Side | None
    target: float
    inputs: Sequence[Path]
    check: Callable[[], None]
    memory_target: float | None = None
    kernel: bool = False
    parts: Side | None = None


def program(module: str, *arguments: object) -> list[str]:
    """The command that runs a module of this checkout."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def _flags(corpus: Path, vectors: Path, output: Path, *flags: object) -> list[str]:
    return [
        "--corpus", f"train={corpus}", "--vectors", f"{vectors}", "--output", f"{output}",
        *map(str, flags),
    ]  # fmt: skip


def _join(
    setting: Setting,
    case: str,
    vectors: Path,
    words: int,
    peer: str,
    target: float,
    *,
    memory_target: float | None = None,
    whole: bool = False,
) -> Case:
    """A vocabulary joined to a vector file and published, against a peer that saves a matrix."""
    ours, theirs = setting.work(case, "embprep"), setting.work(case, "peer")
    vocabulary = _vocabulary(setting, words, whole)
    corpus = data.lines_of(setting.data, vocabulary, _LINES)
    flags = _flags(corpus, vectors, ours, "--vocabulary", vocabulary)
    peer_command = program(
        f"benchmarks.peers.{peer}_join", vectors, vocabulary, theirs / "matrix.npy"
    )
    return Case(
        title=f"{_count(vocabulary):,} tokens joined to {words:,} x {DIM} vectors "
        f"({vectors.name}), published as a dataset",
        ours=Side("embprep", program(*BUILD, *flags), ours),
        peer=Side(f"{peer}: all vectors, then the wanted ones, np.save", peer_command, theirs),
        target=target,
        inputs=[vectors],
        check=lambda: check_matrix(ours, theirs / "matrix.npy"),
        memory_target=memory_target,
    )


def _vocabulary(setting: Setting, words: int, whole: bool) -> Path:
    if whole:
        return data.vocabulary_of_first(setting.data, words)
    return data.vocabulary(setting.data, setting.count(_WORDS), words)


def _count(vocabulary: Path) -> int:
    return vocabulary.read_bytes().count(b"\n")


def _join_text(setting: Setting, case: str, peer: str, target: float, whole: bool = False) -> Case:
    words = setting.count(400_000)
    vectors = data.glove_text(setting.data, words, DIM)
    return _join(setting, case, vectors, words, peer, target, whole=whole)


def _join_text_kernel(setting: Setting, case: str) -> Case:
    words = setting.count(400_000)
    vectors = data.glove_text(setting.data, words, DIM)
    vocabulary = _vocabulary(setting, words, whole=False)
    ours, theirs = setting.work(case, "embprep"), setting.work(case, "peer")
    matrix = theirs / "matrix.npy"
    return Case(
        title=f"the join of {vectors.name} alone: in one process, after the imports, without Beam",
        ours=Side(
            "embprep", program("benchmarks.kernels", "join", vectors, vocabulary, ours), ours
        ),
        peer=Side(
            "tutorial: the same loop",
            program("benchmarks.peers.tutorial_join", vectors, vocabulary, matrix),
            theirs,
        ),
        target=10,
        inputs=[vectors],
        check=lambda: check_arrays(ours / "matrix.npy", matrix),
        kernel=True,
    )


def _join_text_5gb(setting: Setting, case: str) -> Case:
    words = setting.count(2_200_000)
    vectors = data.glove_text(setting.data, words, DIM)
    return _join(setting, case, vectors, words, "tutorial", 8, memory_target=4)


def _join_binary(setting: Setting, case: str, target: float, packed: bool) -> Case:
    words = setting.count(3_000_000)
    vectors = data.word2vec_binary(setting.data, words, DIM)
    if packed:
        vectors = data.packed(vectors)
    return _join(setting, case, vectors, words, "gensim", target, memory_target=6)


def _corpus(setting: Setting) -> tuple[Path, list[object]]:
    corpus = data.corpus_text(setting.data, setting.count(1_000_000))
    return corpus, [corpus, MAX_TOKENS, LENGTH]


def _corpus_build(setting: Setting, case: str, corpus: Path) -> Side:
    vectors = data.glove_text(setting.data, 2_000, 50)
    output = setting.work(case, "embprep")
    limits = ("--max_tokens", MAX_TOKENS, "--max_length", LENGTH, "--compression", "gzip")
    flags = _flags(corpus, vectors, output, *limits)
    return Side("embprep", program(*BUILD, *flags), output)


def _corpus_tft(setting: Setting, case: str) -> Case:
    if setting.tft_python is None:
        raise NotRunError("needs --tft_python, an interpreter that has tensorflow-transform")
    corpus, arguments = _corpus(setting)
    ours, theirs = _corpus_build(setting, case, corpus), setting.work(case, "peer")
    peer = str(ROOT / "benchmarks" / "peers" / "tft_corpus.py")
    return Case(
        title=f"{corpus.name}: vocabulary of {MAX_TOKENS:,}, ids of {LENGTH}, TFRecord with gzip",
        ours=ours,
        peer=Side(
            "tensorflow-transform on Beam's local runner",
            [setting.tft_python, peer, *map(str, arguments), str(theirs)],
            theirs,
        ),
        target=25,
        inputs=[corpus],
        check=lambda: check_examples(of_dataset(ours.output), of_tft(theirs, LENGTH)),
    )


def _corpus_keras(setting: Setting, case: str) -> Case:
    corpus, arguments = _corpus(setting)
    ours, theirs = _corpus_build(setting, case, corpus), setting.work(case, "peer")
    return Case(
        title=f"{corpus.name}: vocabulary of {MAX_TOKENS:,}, ids of {LENGTH}, TFRecord with gzip",
        ours=ours,
        peer=_keras(arguments, theirs),
        target=4,
        inputs=[corpus],
        check=lambda: check_examples(of_dataset(ours.output), of_folder(theirs, LENGTH)),
    )


def _corpus_keras_kernel(setting: Setting, case: str) -> Case:
    corpus, arguments = _corpus(setting)
    ours, theirs = setting.work(case, "embprep"), setting.work(case, "peer")
    return Case(
        title=f"the same for {corpus.name} in one process, after the imports, without Beam",
        ours=Side("embprep", program("benchmarks.kernels", "corpus", *arguments, ours), ours),
        peer=_keras(arguments, theirs),
        target=5,
        inputs=[corpus],
        check=lambda: check_examples(of_folder(ours, LENGTH), of_folder(theirs, LENGTH)),
        kernel=True,
    )


def _keras(arguments: Sequence[object], output: Path) -> Side:
    command = program("benchmarks.peers.keras_corpus", *arguments, output)
    return Side("Keras TextVectorization, tf.train.Example, TFRecordWriter", command, output)


def _examples(setting: Setting, case: str) -> Case:
    corpus = data.corpus_text(setting.data, setting.count(200_000))
    vocabulary = data.vocabulary_of_first(setting.data, MAX_TOKENS - 2)
    arguments = [corpus, vocabulary, LENGTH]
    ours, theirs = setting.work(case, "embprep"), setting.work(case, "peer")
    return Case(
        title=f"examples of {LENGTH} ids from the tokens of {corpus.name}: encoded, serialised and "
        "framed; in one process, after the imports",
        ours=Side("embprep", program("benchmarks.kernels", "examples", *arguments, ours), ours),
        peer=Side(
            "a dict, one tf.train.Example a row, TFRecordWriter",
            program("benchmarks.peers.example_rows", *arguments, theirs),
            theirs,
        ),
        target=4,
        inputs=[corpus],
        check=lambda: check_records(ours / "train.tfrecord", theirs / "train.tfrecord", LENGTH),
        kernel=True,
    )


def _trainer_input(setting: Setting, case: str) -> Case:
    dataset = setting.work(case, "dataset")
    corpus = data.labelled_corpus(setting.data, setting.count(200_000))
    vectors = data.glove_text(setting.data, 2_000, 50)
    flags = _flags(corpus, vectors, dataset, "--corpus_format", "fasttext", "--max_length", LENGTH)
    run_program(program(*BUILD, *flags))
    manifest = published(dataset)
    shards = [dataset / shard.path for shard in manifest.examples.splits["train"].shards]
    ours, theirs = setting.work(case, "embprep"), setting.work(case, "peer")
    return Case(
        title=f"batches of {BATCH} from {manifest.examples.splits['train'].examples:,} examples, "
        "after the imports",
        ours=Side(
            "the trainer's input",
            program("benchmarks.peers.trainer_input", dataset, BATCH, ours),
            ours,
        ),
        peer=Side(
            "TFRecordDataset, batch, parse_example",
            program("benchmarks.peers.plain_input", LENGTH, BATCH, theirs, *shards),
            theirs,
        ),
        target=1,
        inputs=shards,
        check=lambda: check_files(ours / "batches.json", theirs / "batches.json"),
        kernel=True,
    )


def _fixed_cost(setting: Setting, case: str) -> Case:
    vectors = data.glove_text(setting.data, 2_000, 50)
    vocabulary = data.vocabulary_of_first(setting.data, 2_000)
    corpus = data.lines_of(setting.data, vocabulary, _LINES)
    ours, parts = setting.work(case, "embprep"), setting.work(case, "parts")
    return Case(
        title=f"a build of {_LINES} lines and {vectors.name}",
        ours=Side("embprep", program(*BUILD, *_flags(corpus, vectors, ours)), ours),
        peer=None,
        target=4,
        inputs=[corpus, vectors],
        check=lambda: None,
        parts=Side(
            "parts", program("benchmarks.fixed_cost", *_flags(corpus, vectors, parts)), parts
        ),
    )


Builder = Callable[[Setting, str], Case]

CASES: dict[str, Builder] = {
    "join-text": lambda setting, case: _join_text(setting, case, "tutorial", 4),
    "join-text-kernel": _join_text_kernel,
    "join-text-gensim": lambda setting, case: _join_text(setting, case, "gensim", 15),
    "join-text-5gb": _join_text_5gb,
    "join-binary": lambda setting, case: _join_binary(setting, case, 10, packed=False),
    "join-binary-gz": lambda setting, case: _join_binary(setting, case, 2.5, packed=True),
    "join-all": lambda setting, case: _join_text(setting, case, "tutorial", 2, whole=True),
    "corpus-tft": _corpus_tft,
    "corpus-keras": _corpus_keras,
    "corpus-keras-kernel": _corpus_keras_kernel,
    "examples": _examples,
    "trainer-input": _trainer_input,
    "fixed-cost": _fixed_cost,
}
"""Makes a case from its setting and its name, with the inputs that it needs.

Raises a ``NotRunError`` if the setting lacks what it needs.
"""

OF_ITS_OWN_ENVIRONMENT = ("corpus-tft",)
"""Cases whose peer runs in another environment than embprep's."""


def make_case(name: str, setting: Setting) -> Case:
    """Makes a case, and the inputs that it needs.

    Raises:
        NotRunError: the setting lacks what it needs.
    """
    return CASES[name](setting, name)
