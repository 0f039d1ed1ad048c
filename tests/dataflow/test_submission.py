"""A build on Dataflow: what is submitted and staged, and that workers need nothing else."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.portability.api import beam_runner_api_pb2

from tests.dataflow.conftest import (
    CORPUS,
    FLAGS,
    VECTORS,
    Cloud,
    Submitted,
    options_of,
    run,
    staging_of,
)

PACKAGES = ("formats", "pipeline", "trainer", "transforms")


@pytest.fixture(scope="module")
def pool(submitted: Submitted) -> dict[str, Any]:
    (pool,) = submitted.job["environment"]["workerPools"]
    return dict(pool)


@pytest.fixture(scope="module")
def staged(submitted: Submitted, pool: dict[str, Any], cloud: Cloud) -> dict[str, bytes]:
    """The staged files by name."""
    folder = staging_of(submitted.job)
    return {
        package["name"]: cloud.storage.get(f"{folder}/{package['name']}")
        for package in pool["packages"]
    }


def hashes(manifest: dict[str, Any]) -> list[str]:
    """Of all published files but the list of rejects, which has the URIs of the corpus."""
    shards = [*manifest["embeddings"]["shards"]]
    for split in manifest["examples"]["splits"].values():
        shards += split["shards"]
    return [manifest["vocabulary"]["sha256"], *(shard["sha256"] for shard in shards)]


def test_what_was_staged_is_all_that_workers_need_and_the_result_is_that_of_this_machine(
    submitted: Submitted, repository: Path, gensim_data: Callable[[str], Path], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "pipeline", "build", *FLAGS, f"--output={tmp_path}"]
    command += [f"--corpus={gensim_data(CORPUS)}", f"--vectors={gensim_data(VECTORS)}"]
    subprocess.run(command, cwd=repository, check=True, capture_output=True)
    here = json.loads((tmp_path / "manifest.json").read_text())
    assert hashes(submitted.manifest) == hashes(here)
    assert submitted.manifest["coverage"]["matched"] == here["coverage"]["matched"] > 100


def test_the_command_tells_the_job_and_ends_with_the_summary(submitted: Submitted) -> None:
    out, err = submitted.printed
    # Beam tells there of its building of the source distribution too.
    assert "embprep: submitted as job job-1" in err.splitlines()
    assert submitted.manifest["run_id"] in out


def test_the_whole_package_is_staged(staged: dict[str, bytes], repository: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(staged["workflow.tar.gz"])) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    modules = {
        file.relative_to(repository).as_posix()
        for package in PACKAGES
        for file in (repository / package).rglob("*.py")
    }
    assert len(modules) > 100
    assert modules | {"setup.py", "pyproject.toml"} <= names


def test_the_packages_of_the_request_are_those_that_the_pipeline_depends_on(
    submitted: Submitted, staged: dict[str, bytes]
) -> None:
    pipeline = beam_runner_api_pb2.Pipeline.FromString(submitted.pipeline)
    urls = set()
    for environment in pipeline.components.environments.values():
        for dependency in environment.dependencies:
            assert dependency.type_urn == "beam:artifact:type:url:v1"
            payload = beam_runner_api_pb2.ArtifactUrlPayload.FromString(dependency.type_payload)
            urls.add(payload.url)
    assert urls == {f"{staging_of(submitted.job)}/{name}" for name in staged}


def test_no_main_session_is_staged(submitted: Submitted, staged: dict[str, bytes]) -> None:
    assert sorted(staged) == ["submission_environment_dependencies.txt", "workflow.tar.gz"]
    assert options_of(submitted.job)["save_main_session"] is False


def test_no_path_of_this_machine_is_left_in_the_job(
    submitted: Submitted, checkout: Path, repository: Path, packages: Path
) -> None:
    request = json.dumps(submitted.job).encode()
    for path in (checkout, repository, packages, Path.home(), Path(sys.prefix), Path("/tmp")):
        assert bytes(path) not in request
        assert bytes(path) not in submitted.pipeline


def test_the_options_are_passed_on(submitted: Submitted, pool: dict[str, Any]) -> None:
    version = ".".join(map(str, sys.version_info[:2]))
    (image,) = pool["sdkHarnessContainerImages"]
    assert image["containerImage"].endswith(f"/beam_python{version}_sdk:{beam.__version__}")
    assert pool["machineType"] == "n2-highmem-4"
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 25
    assert pool["numThreadsPerWorker"] == 2
    environment = submitted.job["environment"]
    assert environment["serviceAccountEmail"] == "worker@project"
    assert {"use_runner_v2", "use_multiple_sdk_containers", "pip_no_build_isolation"} <= set(
        environment["experiments"]
    )
    assert submitted.job["type"] == 1  # JOB_TYPE_BATCH


def test_no_stage_needs_a_key_that_is_not_deterministic(submitted: Submitted) -> None:
    assert options_of(submitted.job)["allow_non_deterministic_key_coders"] is False


def test_a_dry_run_needs_no_cloud(
    checkout: Path, packages: Path, gensim_data: Callable[[str], Path], tmp_path: Path
) -> None:
    command = [packages / "bin" / "python", "-m", "pipeline", "build", *FLAGS, "--dry_run=true"]
    command += [f"--corpus={gensim_data(CORPUS)}", f"--vectors={gensim_data(VECTORS)}"]
    command += [f"--output={tmp_path}/out", "--runner=DataflowRunner", "--project=project"]
    done = run([*command, "--region=region", "--temp_location=gs://bucket/temp"], cwd=checkout)
    assert "no job was run" in done.stdout
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
