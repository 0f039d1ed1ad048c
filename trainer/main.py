"""The command line of the trainer, and the run it describes."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from formats.errors import DataError, EmbprepError, UsageError
from trainer.data import Dataset, check_files, is_local, open_dataset, read_examples

MODEL_NAMES = ("average", "flatten", "cnn", "lstm")
EMBEDDING_MODES = ("frozen", "finetune", "scratch")
# What NumPy takes as a seed.
_LARGEST_WHOLE = 2**32 - 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains a classifier as the flags say.

    Returns:
        The exit code: 0, 1 when the dataset or the output can't be used, 2 for wrong usage. An
        error is one line on stderr, after its traceback with ``--verbose``.
    """
    verbose = False
    try:
        flags = _parser().parse_args(arguments)
        verbose = flags.verbose
        _train(flags)
    except (EmbprepError, OSError, ImportError) as error:
        if verbose:
            traceback.print_exc()
        print(f"trainer: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


def _train(flags: argparse.Namespace) -> None:
    started = time.monotonic()
    # All that can be found wrong is found before TensorFlow's seconds of import.
    dataset = open_dataset(flags.data)
    _make_directory(flags.output)
    print(f"Checking the files of run {dataset.manifest.run_id}", flush=True)
    check_files(dataset, matrix=flags.embedding != "scratch")
    _start_tensorflow(flags.seed, quiet=not flags.verbose)

    import tensorflow as tf

    from trainer.report import write_history, write_learning_curve, write_metrics

    try:
        model, history, metrics = _fit(flags, dataset)
    except tf.errors.OpError as error:
        raise DataError(f"{flags.data}: {error.message}") from error
    metrics["seconds"] = round(time.monotonic() - started, 1)
    model.save(os.path.join(flags.output, "model.keras"))
    write_history(os.path.join(flags.output, "history.csv"), history)
    write_learning_curve(
        os.path.join(flags.output, "learning_curve.png"),
        history,
        title=f"{flags.model}, {flags.embedding} embedding",
        best_epoch=metrics["best_epoch"],
    )
    write_metrics(os.path.join(flags.output, "metrics.json"), metrics)
    for split in ("validation", "test"):
        accuracy = metrics[f"{split}_accuracy"]
        print(f"{split} accuracy: {'no examples' if accuracy is None else f'{accuracy:.4f}'}")
    print(f"Model, metrics and history are in {flags.output}")


def _fit(flags: argparse.Namespace, dataset: Dataset) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Trains and evaluates; returns the model, Keras' history and the metrics."""
    from trainer.embedding import build_embedding
    from trainer.models import build_model
    from trainer.stopping import EarlyStopping

    manifest = dataset.manifest
    train = read_examples(dataset, "train", flags.batch_size, shuffle_seed=flags.seed)
    held_out = {
        split: read_examples(dataset, split, flags.batch_size) for split in ("validation", "test")
    }
    model = build_model(
        flags.model,
        build_embedding(flags.embedding, dataset),
        max_length=manifest.examples.max_length,
        classes=len(manifest.labels),
        learning_rate=flags.learning_rate,
    )
    stopping = None
    if held_out["validation"] is None:
        print("No validation examples: training runs for all epochs, without early stopping")
    else:
        stopping = EarlyStopping(patience=flags.patience, verbose=1)
    history = model.fit(
        train,
        validation_data=held_out["validation"],
        epochs=flags.epochs,
        shuffle=False,  # The dataset does it.
        callbacks=[stopping] if stopping else None,
        # A line an epoch where a bar can't be redrawn.
        verbose=1 if sys.stdout.isatty() else 2,
    ).history
    metrics: dict[str, Any] = {
        "run_id": manifest.run_id,
        "labels": list(manifest.labels),
        "model": flags.model,
        "embedding": flags.embedding,
        "batch_size": flags.batch_size,
        "learning_rate": flags.learning_rate,
        "seed": flags.seed,
        "epochs": len(history["loss"]),
        "best_epoch": stopping.best_epoch + 1 if stopping else len(history["loss"]),
        "parameters": model.count_params(),
        "trainable_parameters": sum(math.prod(w.shape) for w in model.trainable_weights),
    }
    for split, examples in held_out.items():
        scores = model.evaluate(examples, verbose=0, return_dict=True) if examples else {}
        metrics[f"{split}_accuracy"] = scores.get("accuracy")
        metrics[f"{split}_loss"] = scores.get("loss")
    return model, history, metrics


def _start_tensorflow(seed: int, *, quiet: bool) -> None:
    """Imports TensorFlow and Keras so that a seed gives the same model every time."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if quiet:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import keras
        import tensorflow as tf
    except ImportError as error:
        raise DataError(
            f"the trainer needs TensorFlow: pip install 'embprep[train]' ({error})"
        ) from error
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def _make_directory(output: str) -> None:
    if not is_local(output):
        raise UsageError(f"argument --output: {output}: expected a directory of this machine")
    os.makedirs(output, exist_ok=True)
    if not os.access(output, os.W_OK):
        raise DataError(f"{output}: no permission to write; choose another --output")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="trainer",
        description="Trains a Keras text classifier on a dataset that `embprep build` published.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--data", required=True, metavar="OUTPUT", help="the --output of embprep build")
    add("--output", required=True, metavar="DIR", help="where the model and its metrics go")
    add("--model", choices=MODEL_NAMES, default="average", help="the classifier")
    add(
        "--embedding",
        choices=EMBEDDING_MODES,
        default="frozen",
        help="keep the published vectors, train them further, or start from random ones",
    )
    add(
        "--epochs",
        type=_whole(1),
        # `average` with frozen vectors needs nearly as many when there is little to train on.
        default=100,
        help="the most epochs to train; without validation examples that would end it, all of them",
    )
    add("--batch_size", type=_whole(1), default=32, help="examples a step")
    add("--learning_rate", type=_rate, default=0.001, help="of Adam")
    add(
        "--patience",
        type=_whole(0),
        default=3,
        help="epochs without a better validation loss before training stops",
    )
    add("--seed", type=_whole(0), default=0, help="of weights and order")
    add("--verbose", action="store_true", help="show tracebacks and TensorFlow's log")
    return parser


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= _LARGEST_WHOLE:
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {least} to {_LARGEST_WHOLE}, found {text!r}"
            )
        return int(text)

    return parse


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text!r}")
    return rate
