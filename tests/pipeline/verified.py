"""The files of the small dataset, and what verify finds when a part of it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from formats.dataset import paths
from pipeline.verify import verify_dataset
from tests.pipeline.small_dataset import RUN, Parts, publish

VOCABULARY = paths.vocabulary_text_path(RUN)
TABLE = paths.vocabulary_table_path(RUN)
NPY, LAST_NPY = (paths.embedding_shard_path(RUN, shard, 2, "npy") for shard in (0, 1))
TRAIN, LAST_TRAIN = (paths.example_shard_path(RUN, "train", shard, 2, "gzip") for shard in (0, 1))
REJECTS = paths.rejects_path(RUN)
KEPT = paths.run_manifest_path(RUN)


def problems_of(folder: Path, **parts: Any) -> list[str]:
    return verify_dataset(str(publish(folder, Parts(**parts))))


def assignment(*keys: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def assign(values: dict[str, Any]) -> None:
        place: Any = values
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return assign
