"""The engines as fixtures, and real inputs."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.builds import build
from tests.engines.running import Engine, running
from tests.pipeline.built import Dataset

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and not item.get_closest_marker("by_hand"):
            item.add_marker(pytest.mark.engines)


@pytest.fixture(scope="session")
def prism() -> Iterator[Engine]:
    with running("prism") as engine:
        yield engine


@pytest.fixture(scope="session")
def flink() -> Iterator[Engine]:
    with running("flink") as engine:
        yield engine


@pytest.fixture(scope="session")
def spark() -> Iterator[Engine]:
    with running("spark") as engine:
        yield engine


@pytest.fixture(scope="session", params=["prism", "flink", "spark"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    started: Engine = request.getfixturevalue(request.param)
    return started


@pytest.fixture(scope="session")
def glove(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first rows of the real glove.6B.100d, as the plain text that it is downloaded as."""
    path = tmp_path_factory.mktemp("glove") / "glove.6B.100d.sample.txt"
    packed = shared_data / "vectors" / "glove.6B.100d.sample.txt.gz"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    return path


@pytest.fixture(scope="session")
def shuffled(shared_data: Path, glove: Path) -> list[str]:
    """A labelled corpus with vectors as plain text, as packed text and as packed binary."""
    vectors = shared_data / "vectors"
    return [
        f"--corpus={shared_data / 'corpora' / 'rt-polarity.tsv'}",
        f"--vectors={glove}",
        f"--vectors={vectors / 'imdb.glove.100d.txt.gz'}",
        f"--vectors={vectors / 'imdb.word2vec.100d.bin.gz'}",
        "--oov=normal",
        "--vector_tokens=1000",
        "--matrix_shards=2",
        "--example_shards=2",
    ]


@pytest.fixture(scope="session")
def shuffled_here(shuffled: list[str], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return build(shuffled, tmp_path_factory.mktemp("shuffled") / "dataset")
