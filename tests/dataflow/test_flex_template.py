"""The flex template: its parameters, and what its launcher makes of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.flags import build_parser
from tests.dataflow.conftest import CLOUD, FLAGS, Cloud, on_dataflow, options_of, run, staging_of
from tests.dataflow.dockerfile import copied, instructions
from tests.pipeline.test_flags import FLAGS as VALUES

IMAGE = "region-docker.pkg.dev/project/embprep/worker:1"


@pytest.fixture(scope="module")
def parameters(repository: Path) -> dict[str, dict[str, Any]]:
    metadata = json.loads((repository / "dataflow" / "metadata.json").read_text())
    return {parameter["name"]: parameter for parameter in metadata["parameters"]}


def matches(parameter: dict[str, Any], text: str) -> bool:
    return all(re.search(regex, text) for regex in parameter.get("regexes", []))


def test_the_metadata_is_that_of_the_flags(repository: Path) -> None:
    script = repository / "scripts" / "flex_template_metadata.py"
    made = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    assert made.stdout == (repository / "dataflow" / "metadata.json").read_text()


def test_every_flag_that_takes_a_value_is_a_parameter(parameters: dict[str, Any]) -> None:
    flags = {action.dest for action in build_parser()._actions if action.nargs != 0}
    assert flags == parameters.keys() - {"sdk_container_image", "number_of_worker_harness_threads"}
    assert [name for name, parameter in parameters.items() if not parameter["isOptional"]] == [
        "output"
    ]


@pytest.mark.parametrize(("name", "text", "value"), VALUES)
def test_a_value_that_the_flag_takes_is_let_through(
    name: str, text: str, value: Any, parameters: dict[str, Any]
) -> None:
    uri = f"{CLOUD}/{text}" if parameters[name]["paramType"].startswith("GCS_") else text
    assert matches(parameters[name], uri)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("corpus_format", "xml"),
        ("dtype", "float32,float16"),
        ("max_tokens", "many"),
        ("max_length", "-1"),
        ("fallback", "exact,stem"),
        ("oov", "ones"),
        ("vocabulary_splits", "train,dev"),
        ("shuffle_seed", "no"),
        ("run_id", "../x"),
        ("output", "/home/user/out"),
        ("config", "build.toml"),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_a_machine_is_started(
    name: str, text: str, parameters: dict[str, Any]
) -> None:
    assert not matches(parameters[name], text)


def test_the_metadata_is_of_the_form_that_the_service_takes(
    repository: Path, packages: Path
) -> None:
    program = (
        "import sys; from google.cloud.dataflow_v1beta3.types import TemplateMetadata; "
        "print(len(TemplateMetadata.from_json(sys.stdin.read()).parameters))"
    )
    with (repository / "dataflow" / "metadata.json").open() as file:
        command = [packages / "bin" / "python", "-c", program]
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30


@pytest.fixture(scope="module")
def image(
    repository: Path,
    new_environment: Callable[[Sequence[str], Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Path]:
    """What the Dockerfile makes of the sources: the Python of its packages, and its folder."""
    folder = tmp_path_factory.mktemp("image")
    copied(repository, folder)
    (install,) = (
        line for line in instructions(repository, "RUN") if "--no-build-isolation" in line
    )
    arguments = install.partition("&&")[0].split()
    assert arguments[:2] == ["pip", "install"]
    return new_environment(["--quiet", *arguments[2:]], folder), folder


def test_a_launch_describes_the_job_of_its_parameters_and_submits_none(
    image: tuple[Path, Path],
    parameters: dict[str, Any],
    cloud: Cloud,
    inputs: list[str],
    tmp_path: Path,
) -> None:
    python, folder = image
    submitted_before = len(cloud.service.jobs)
    names = ("corpus_format", "max_reject_fraction", "fallback")
    config = dict(flag.removeprefix("--").split("=", 1) for flag in [*inputs, *FLAGS])
    toml = "".join(f'{name} = "{value}"\n' for name, value in config.items())
    given = {
        "config": cloud.storage.put("in/build.toml", toml.encode()),
        "output": f"{CLOUD}/flex",
        "max_tokens": "500",
        "sdk_container_image": IMAGE,
    }
    assert set(names) <= config.keys()
    assert all(matches(parameters[name], value) for name, value in given.items())
    (entry,) = (
        line for line in instructions(folder, "ENV") if "FLEX_TEMPLATE_PYTHON_PY_FILE" in line
    )
    script = folder / Path(entry.partition("=")[2]).relative_to("/opt/embprep")
    command = [python, script, *(f"--{name}={value}" for name, value in given.items())]
    command += [*on_dataflow(cloud, "flex-staging"), "--job_name=embprep"]
    command += [f"--template_location={CLOUD}/flex-staging/launch/job_object"]

    done = run(command, cwd=tmp_path, env=cloud.variables)

    assert "no job was run" in done.stdout
    assert len(cloud.service.jobs) == submitted_before
    assert cloud.storage.names("flex/") == []
    job = json.loads(cloud.storage.get(f"{CLOUD}/flex-staging/launch/job_object"))
    assert job["name"] == "embprep"
    (pool,) = job["environment"]["workerPools"]
    assert [i["containerImage"] for i in pool["sdkHarnessContainerImages"]] == [IMAGE]
    # The package is in the image.
    assert [package["name"] for package in pool["packages"]] == [
        "submission_environment_dependencies.txt"
    ]
    assert cloud.storage.get(options_of(job)["pipelineUrl"])
    assert staging_of(job).startswith(f"{CLOUD}/flex-staging")
