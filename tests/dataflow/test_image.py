"""The image of the workers, as far as it can be known without building it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest
from packaging.requirements import Requirement

from tests.dataflow.dockerfile import instructions, sources

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def locked(file: Path) -> dict[str, list[str]]:
    """The entries of a lock by the package's name: its versions, markers and hashes."""
    text = "\n".join(re.findall(r"^[^#\n].*", file.read_text(encoding="utf-8"), re.MULTILINE))
    entries: dict[str, list[str]] = {}
    for entry in re.split(r"\n(?=[a-z])", text):
        entries.setdefault(re.split(r"[=\[ ]", entry)[0], []).append(entry)
    return entries


@pytest.fixture(scope="module")
def worker(repository: Path) -> dict[str, list[str]]:
    return locked(repository / "requirements-dataflow.lock")


def test_workers_have_the_versions_that_embprep_is_tested_with(
    worker: dict[str, list[str]], repository: Path
) -> None:
    tested = locked(repository / "requirements.lock")
    both = worker.keys() & tested.keys()
    assert {"apache-beam", "numpy", "protobuf", "pyarrow", "isal", "gensim", "scipy"} <= both
    # A package may be wanted for a machine here that it is not wanted for there.
    for name in both:
        for version in {_version(entry) for entry in worker[name]}:
            assert version in {_version(entry) for entry in tested[name]}, name
            assert _hashes(worker[name], version) == _hashes(tested[name], version), name


def _version(entry: str) -> str:
    return entry.partition("==")[2].split()[0]


def _hashes(entries: list[str], version: str) -> set[str]:
    of_version = (entry for entry in entries if _version(entry) == version)
    return {found for entry in of_version for found in re.findall(r"sha256:[0-9a-f]{64}", entry)}


def test_workers_have_all_that_the_package_asks_for_and_nothing_of_the_trainer(
    worker: dict[str, list[str]], repository: Path
) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for text in [*project["dependencies"], *project["optional-dependencies"]["gcp"]]:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            versions = [_version(entry) for entry in worker[requirement.name]]
            assert any(requirement.specifier.contains(version) for version in versions), text
    assert not worker.keys() & {"tensorflow", "keras", "matplotlib", "pytest", "hypothesis"}


@pytest.mark.parametrize("lock", ["requirements-dataflow.lock", "tests/dataflow/tools.lock"])
def test_the_locks_pin_every_package_by_hash_and_name_no_host(lock: str, repository: Path) -> None:
    entries = [entry for several in locked(repository / lock).values() for entry in several]
    assert entries
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    assert "://" not in (repository / lock).read_text(encoding="utf-8")


def test_the_packages_of_the_image_fit_together(packages: Path) -> None:
    # They were installed as the Dockerfile does it: from the lock, by hash.
    assert instructions(packages.parent, "RUN")[0] == (
        "pip install --no-cache-dir --require-hashes -r requirements-dataflow.lock"
    )
    command = [packages / "bin" / "python", "-m", "pip", "check", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_all_that_is_copied_into_the_image_is_there_and_passed_to_its_build(
    repository: Path,
) -> None:
    passed = (repository / ".dockerignore").read_text(encoding="utf-8").splitlines()
    names = sources(repository)
    assert {"formats", "pipeline", "transforms", "pyproject.toml", "setup.py"} <= set(names)
    for name in names:
        assert (repository / name).exists(), name
        assert f"!{name.removeprefix('./').split('/')[0]}" in passed, name


def test_the_image_starts_workers_by_the_boot_program_of_the_beam_that_is_locked(
    repository: Path, worker: dict[str, list[str]]
) -> None:
    (version,) = {_version(entry) for entry in worker["apache-beam"]}
    assert version == beam.__version__
    images = instructions(repository, "FROM")
    assert f"apache/beam_python3.11_sdk:{version} AS sdk" in images
    assert "python:3.11-slim AS worker" in images
    assert instructions(repository, "ENTRYPOINT") == ['["/opt/apache/beam/boot"]']


def test_the_dockerfile_has_nothing_that_a_linter_finds(packages: Path, repository: Path) -> None:
    command = [packages / "bin" / "hadolint", repository / "Dockerfile"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
