"""What is shipped to workers and to users is whole: the source distribution and the wheel."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGES = ("formats", "pipeline", "trainer", "transforms")


@pytest.fixture(scope="module")
def project(repository: Path) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def modules(repository: Path) -> set[str]:
    """Every module of the project, as a path from the repository's folder."""
    files = (file for package in PACKAGES for file in (repository / package).rglob("*.py"))
    return {file.relative_to(repository).as_posix() for file in files}


@pytest.fixture(scope="module")
def sources(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy to build in, since setuptools writes beside what it builds."""
    copy = tmp_path_factory.mktemp("sources") / "embprep"
    skipped = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "output")
    shutil.copytree(repository, copy, ignore=skipped)
    return copy


@pytest.fixture(scope="module")
def source_distribution(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as Beam builds it to ship it to workers."""
    folder = tmp_path_factory.mktemp("sdist")
    run("setup.py", "-q", "sdist", "--dist-dir", str(folder), cwd=sources)
    (built,) = folder.iterdir()
    return built


def run(*arguments: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_installed_version_is_the_one_in_pyproject_and_in_the_changelog(
    project: dict, repository: Path
) -> None:
    assert importlib.metadata.version("embprep") == project["version"]
    latest = re.search(r"^## .*", (repository / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert latest
    assert project["version"] in latest.group()


def test_the_extras_bring_what_only_some_need() -> None:
    requirements = importlib.metadata.requires("embprep") or []
    core = [r for r in requirements if "extra ==" not in r]
    assert not [r for r in core if r.startswith(("tensorflow", "apache-beam[", "pytest"))]
    for extra, package in [
        ("train", "tensorflow"),
        ("gcp", "apache-beam[gcp]"),
        ("gcs", "google-cloud-storage"),
        ("s3", "boto3"),
        ("test", "pytest"),
    ]:
        assert [r for r in requirements if r.startswith(package) and f'extra == "{extra}"' in r]


def test_the_source_distribution_holds_every_module(
    source_distribution: Path, modules: set[str]
) -> None:
    with tarfile.open(source_distribution) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert modules | {"setup.py", "pyproject.toml", "LICENSE", "README.md"} <= names
    assert {"Dockerfile", "requirements-dataflow.lock"} <= names
    assert {"dataflow/flex_template.py", "dataflow/metadata.json"} <= names
    assert not [name for name in names if name.endswith(".pyc")]


def test_the_wheel_of_the_source_distribution_holds_every_module_and_nothing_else(
    source_distribution: Path, modules: set[str], tmp_path: Path
) -> None:
    # A worker installs the source distribution; pip makes this wheel on the way.
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    run("-m", "pip", "wheel", "-q", *offline, "-w", ".", str(source_distribution), cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
        assert "embprep = pipeline.main:command" in archive.read(entry_points).decode()
    assert {name for name in names if ".dist-info/" not in name} == modules


def test_the_lock_pins_every_package_by_hash_and_names_no_host(repository: Path) -> None:
    lock = (repository / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z])", "\n".join(re.findall(r"^[^#\n].*", lock, re.M)))
    assert len(entries) > 80
    assert not [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]
    assert "://" not in lock
    assert "index-url" not in lock


def test_the_lock_satisfies_what_the_project_asks_for(project: dict) -> None:
    # The environment that runs this was installed from the lock.
    from packaging.requirements import Requirement

    optional = project["optional-dependencies"]
    for text in [*project["dependencies"], *optional["train"], *optional["test"]]:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            installed = importlib.metadata.version(requirement.name)
            assert requirement.specifier.contains(installed), f"{text}, but {installed}"


@pytest.mark.parametrize("script", ["run_local.sh", "run_tests.sh", ".ci/run"])
def test_the_commands_of_a_newcomer_can_be_started(repository: Path, script: str) -> None:
    assert os.access(repository / script, os.X_OK)
    assert (repository / script).read_bytes().startswith(b"#!/usr/bin/env bash\n")
