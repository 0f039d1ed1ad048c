from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trainer.published import arguments, publish
from trainer.main import main


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of two classes. Not to be changed: see ``copy_of_binary``."""
    return publish(tmp_path_factory.mktemp("binary"))


@pytest.fixture
def copy_of_binary(binary: Path, tmp_path: Path) -> Path:
    """The same dataset, to be damaged."""
    return Path(shutil.copytree(binary, tmp_path / "copy"))


@pytest.fixture(scope="session")
def three_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three classes: Parquet, float16, not compressed, padded in front."""
    return publish(
        tmp_path_factory.mktemp("three"),
        classes=3,
        padding="pre",
        dtype="float16",
        matrix_format="parquet",
        compression="none",
    )


@pytest.fixture(scope="session")
def trained(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Trains a model for an epoch on ``binary``, once a session; gives the output's folder."""
    outputs: dict[tuple[str, str], Path] = {}

    def train(model: str, embedding: str) -> Path:
        if (model, embedding) not in outputs:
            output = tmp_path_factory.mktemp(f"{model}-{embedding}")
            assert main(arguments(binary, output, model=model, embedding=embedding)) == 0
            outputs[model, embedding] = output
        return outputs[model, embedding]

    return train
