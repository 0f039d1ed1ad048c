"""Makes a worker kill itself in the middle of a stage of the job, once for each stage.

The workers must import this module, by one of the flags ``PLUGIN`` and ``TOKENIZER``, and have
``EMBPREP_DEATHS`` in their environment, which names a folder. A file there that is called as a
stage is a death that is to be; the worker that dies it renames it first, so that there is only
one.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

VARIABLE = "EMBPREP_DEATHS"

# What each stage calls when it is at work: a module, and the name by which it is called there. A
# worker dies when that has been done, and nothing has come of it yet: a file is written and has
# not got its name, a block is read and not passed on. Publish dies between its two manifests.
STAGES = {
    "ReadCorpus": ("transforms.read_corpus", "read_range"),
    "Tokenize": ("transforms.tokenize", "tokenize_block"),
    "CountTokens": ("transforms.build_vocabulary", "merge_counts"),
    "BuildVocabulary": ("transforms.build_vocabulary", "order_counts"),
    "JoinVectors, scan": ("transforms.scan_vectors", "find_rows"),
    "JoinVectors, floats": ("transforms.scan_vectors", "parse_vectors"),
    "WriteEmbeddingMatrix": ("transforms.write_matrix", "write_shard"),
    "EncodeExamples": ("transforms.encode_examples", "encode_block"),
    "WriteExamples": ("transforms.write_examples", "write_shard"),
    "WriteVocabulary": ("transforms.write_vocabulary", "write_vocabulary_table"),
    "Publish": ("transforms.publish", "_write"),
}
# Of the join by hash alone.
JOIN_BY_HASH = "JoinVectors, match"

# Beam imports plugins before any work, but not in the workers of a pool, which do not get to know
# the flags.
PLUGIN = f"--beam_plugins={__name__}"
TOKENIZER = f"--tokenizer={__name__}:tokenize"

_PLACES = STAGES | {JOIN_BY_HASH: ("transforms.find_vectors", "match_candidates")}

_WAIT, _DONE = "wait", ".done"


class Deaths:
    """Deaths that workers are to die.

    Args:
        folder: an empty folder of their own.
        stages: where one worker is to kill itself, each a key of ``STAGES`` or ``JOIN_BY_HASH``.
        waits: where one worker is to wait instead, until somebody else kills it.
    """

    def __init__(self, folder: Path, stages: Iterable[str] = (), waits: Iterable[str] = ()) -> None:
        self._folder = folder
        for stage in stages:
            (folder / stage).touch()
        for stage in waits:
            (folder / stage).write_text(_WAIT)

    @property
    def variables(self) -> dict[str, str]:
        """What workers must have in their environment."""
        return {VARIABLE: str(self._folder)}

    @property
    def to_be(self) -> list[str]:
        """The stages in which no worker has died yet, nor waits."""
        return [file.name for file in self._folder.iterdir() if file.suffix != _DONE]


def tokenize(text: str) -> list[str]:
    """Splits at white space."""
    return text.split()


def _die(death: Path) -> None:
    try:
        death.rename(death.with_name(death.name + _DONE))
    except FileNotFoundError:
        return
    if death.with_name(death.name + _DONE).read_text() == _WAIT:
        threading.Event().wait()
    os.kill(os.getpid(), signal.SIGKILL)


def _until_death(function: Callable[..., Any], death: Path) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if isinstance(result, Iterator):
            return one_by_one(result)
        _die(death)
        return result

    def one_by_one(results: Iterator[Any]) -> Iterator[Any]:
        for result in results:
            _die(death)
            yield result

    return call


def _prepare(folder: Path) -> None:
    for stage, (module_name, name) in _PLACES.items():
        module = importlib.import_module(module_name)
        setattr(module, name, _until_death(getattr(module, name), folder / stage))


if VARIABLE in os.environ:
    _prepare(Path(os.environ[VARIABLE]))
