"""Servers for the tests of object stores, each behind a proxy that writes down what passes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores import sample
from tests.stores.stored import S3, running_s3
from tests.stores.stored_gcs import Gcs, running_gcs


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus and the vector files on this machine."""
    folder = tmp_path_factory.mktemp("inputs")
    sample.write_sample(folder)
    return folder


@pytest.fixture(scope="session")
def expected(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Hashes of the files that a build on this machine writes."""
    output = tmp_path_factory.mktemp("local") / "out"
    env = sample.environment(None)
    sample.run("tests.stores.run_build", sample.config(str(inputs), str(output)), env=env)
    found = sample.hashes(output)
    assert {"embeddings-00001-of-00002.npy", "vocabulary.txt"} < set(found)
    return found


@pytest.fixture(scope="session")
def moto(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """moto's server of S3, which holds the inputs."""
    with running_s3("moto", tmp_path_factory.mktemp("moto")) as store:
        store.put(inputs, "in/")
        yield store


@pytest.fixture(scope="session")
def versitygw(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """The server of S3 that is more like a store in use, and holds the inputs."""
    with running_s3("versitygw", tmp_path_factory.mktemp("versitygw")) as store:
        store.put(inputs, "in/")
        yield store


@pytest.fixture(scope="session", params=["moto", "versitygw"])
def s3(request: pytest.FixtureRequest) -> S3:
    """Each server of S3."""
    store: S3 = request.getfixturevalue(request.param)
    return store


@pytest.fixture(scope="session")
def gcs(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gcs]:
    """The server of Google Cloud Storage, which holds the inputs."""
    with running_gcs(tmp_path_factory.mktemp("gcs")) as store:
        store.put(inputs, "in/")
        yield store


@pytest.fixture(scope="session", params=["moto", "versitygw", "gcs"])
def store(request: pytest.FixtureRequest) -> S3 | Gcs:
    """Each server."""
    store: S3 | Gcs = request.getfixturevalue(request.param)
    return store
