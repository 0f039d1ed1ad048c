"""``--vectors train:METHOD?OPTIONS``: vectors that a build makes from its own corpus first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from apache_beam.options.pipeline_options import PipelineOptions

from formats.errors import UsageError
from formats.oov import SUBWORD
from pipeline.config import BuildConfig
from pipeline.train_vectors import model_path, train_vectors
from pipeline.vectors_flags import FASTTEXT, METHODS, VectorsConfig, parse_vectors_flags
from transforms.storage import delete, join

_TRAIN = "train:"
# Flags of `embprep vectors` that shape the vectors; the corpus is that of the build.
_OPTIONS = (
    "dim",
    "min_count",
    "max_tokens",
    "seed",
    "window",
    "epochs",
    "sg",
    "workers",
    "bucket",
)


class Training(NamedTuple):
    """Vectors that are to be made.

    Attributes:
        spec: the ``--vectors`` that asks for them.
        config: the flags of ``embprep vectors`` that make them.
        vectors: the file that the build reads.
    """

    spec: str
    config: VectorsConfig
    vectors: str


def plan_trainings(config: BuildConfig, directory: str) -> list[Training]:
    """The vectors that a build is to make from the splits that its vocabulary is counted on.

    Args:
        config: the flags of the build.
        directory: where its files are written.

    Raises:
        UsageError: a method or an option that can't be used.
    """
    trainings = []
    for ordinal, spec in enumerate(config.vectors):
        if spec.startswith(_TRAIN):
            output = join(directory, f"trained-{ordinal}.bin")
            trained = _vectors_config(spec, config, output)
            policy = config.oov[ordinal if len(config.oov) > 1 else 0]
            # The model can make vectors for words that it doesn't know; it is much larger.
            model = trained.method == FASTTEXT and policy == SUBWORD
            trainings.append(Training(spec, trained, model_path(output) if model else output))
    return trainings


def train_all(trainings: Sequence[Training], options: PipelineOptions) -> dict[str, str]:
    """Makes the vectors; gives where they are, by the ``--vectors`` that asked for them.

    Raises:
        DataError: the corpus is bad, or none of its tokens gets a vector.
    """
    for training in trainings:
        train_vectors(training.config, options)
    return {training.spec: training.vectors for training in trainings}


def delete_trained(trainings: Sequence[Training]) -> None:
    """Deletes the vectors that were made, once the dataset holds what it needs of them."""
    for training in trainings:
        delete(training.config.output)
        if training.config.method == FASTTEXT:
            delete(model_path(training.config.output))


def _vectors_config(spec: str, config: BuildConfig, output: str) -> VectorsConfig:
    method, _, query = spec.removeprefix(_TRAIN).partition("?")
    if method not in METHODS:
        raise UsageError(f"--vectors {spec}: {method!r} is none of {', '.join(METHODS)}; write "
                         f"{_TRAIN}METHOD, or {_TRAIN}METHOD?OPTION=VALUE&...")  # fmt: skip
    arguments = [f"--method={method}", f"--output={output}"]
    arguments += [f"--corpus={corpus}" for corpus in config.corpus]
    for option in filter(None, query.split("&")):
        name = option.partition("=")[0]
        if name not in _OPTIONS:
            raise UsageError(f"--vectors {spec}: {name!r} is none of {', '.join(_OPTIONS)}")
        arguments.append(f"--{option}")
    if config.text_column is not None:
        arguments.append(f"--text_column={config.text_column}")
    arguments += [
        f"--corpus_format={config.corpus_format}",
        f"--tokenizer={config.tokenizer}",
        f"--splits={','.join(f'{name}={share}' for name, share in config.splits.items())}",
        f"--vocabulary_splits={','.join(config.vocabulary_splits)}",
        f"--max_reject_fraction={config.max_reject_fraction[0]}",
    ]
    try:
        return parse_vectors_flags(arguments)[0]
    except UsageError as error:
        raise UsageError(f"--vectors {spec}: {error}") from error
