"""One job, built, submitted and run against the cloud of ``cloud.py``; the tests look at it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.dataflow.cloud import (
    BUCKET,
    Service,
    Storage,
    environment,
    serve_dataflow,
    serve_storage,
    write_credentials,
)

ENVIRONMENT = ".venv-dataflow"
CLOUD = f"gs://{BUCKET}"
# Pang and Lee's sentences with their fastText vectors, which gensim's wheel carries. Six are not
# UTF-8.
CORPUS, VECTORS = "pang_lee_polarity.cor", "pang_lee_polarity_fasttext.vec"
FLAGS = ["--corpus_format=fasttext", "--max_reject_fraction=0.05", "--fallback=exact,lower"]


@pytest.fixture(scope="session")
def packages(repository: Path) -> Path:
    """The environment that has what the image of the workers has, but for embprep."""
    venv = repository / ENVIRONMENT
    if not (venv / "stamp").exists():
        pytest.fail(f"no {ENVIRONMENT}: tests/dataflow/environment.sh makes it")
    return venv


@pytest.fixture(scope="session")
def new_environment(
    packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Sequence[str], Path], Path]:
    """Makes an environment of these packages, with more that pip installs; gives its Python."""

    def make(arguments: Sequence[str], folder: Path) -> Path:
        venv = tmp_path_factory.mktemp("environment")
        python = venv / "bin" / "python"
        subprocess.run(
            [packages / "bin" / "python", "-m", "venv", "--without-pip", venv], check=True
        )
        (site,) = venv.glob("lib/python*/site-packages")
        (below,) = packages.glob("lib/python*/site-packages")
        (site / "packages.pth").write_text(f"{below}\n")
        run([python, "-m", "pip", "install", *arguments], cwd=folder)
        return python

    return make


def run(
    command: Sequence[str | Path], cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done


@pytest.fixture(scope="session")
def checkout(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, as a user has them who submits a job from a clone."""
    copy = tmp_path_factory.mktemp("driver") / "embprep"
    skipped = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "output")
    shutil.copytree(repository, copy, ignore=skipped)
    # For the version of embprep that the manifest names.
    run([sys.executable, "setup.py", "-q", "egg_info"], cwd=copy)
    return copy


@pytest.fixture(scope="session")
def storage(packages: Path) -> Iterator[Storage]:
    with serve_storage(packages / "bin" / "gcp-storage-emulator") as served:
        yield served


@pytest.fixture(scope="session")
def inputs(storage: Storage, gensim_data: Callable[[str], Path]) -> list[str]:
    """The flags that name the inputs in the cloud."""
    return [
        f"--corpus={storage.put(f'in/{CORPUS}', gensim_data(CORPUS).read_bytes())}",
        f"--vectors={storage.put(f'in/{VECTORS}', gensim_data(VECTORS).read_bytes())}",
    ]


class Cloud(NamedTuple):
    storage: Storage
    service: Service
    variables: dict[str, str]


@pytest.fixture(scope="session")
def cloud(
    storage: Storage,
    packages: Path,
    new_environment: Callable[[Sequence[str], Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cloud]:
    """A cloud that runs each job with nothing of ours but what the job has staged."""
    folder = tmp_path_factory.mktemp("cloud")

    def run_staged(job: dict[str, Any]) -> None:
        staged = folder / "staged"
        staged.mkdir()
        for package in job["environment"]["workerPools"][0]["packages"]:
            name = package["name"]
            (staged / name).write_bytes(storage.get(f"{staging_of(job)}/{name}"))
        (staged / "pipeline.pb").write_bytes(storage.get(pipeline_uri(job)))
        # As the workers' boot program installs it, with --experiments=pip_no_build_isolation.
        offline = ["--quiet", "--no-index", "--no-build-isolation", "workflow.tar.gz"]
        python = new_environment(offline, staged)
        script = Path(__file__).with_name("run_job.py")
        run([python, script, "pipeline.pb"], cwd=staged, env=variables)

    with serve_dataflow(run_staged) as service:
        credentials = folder / "credentials.json"
        write_credentials(packages / "bin" / "python", credentials, service)
        variables = environment(storage, credentials)
        yield Cloud(storage, service, variables)


def options_of(job: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = job["environment"]["sdkPipelineOptions"]["options"]
    return options


def pipeline_uri(job: dict[str, Any]) -> str:
    return str(options_of(job)["pipelineUrl"])


def staging_of(job: dict[str, Any]) -> str:
    return str(options_of(job)["staging_location"])


def on_dataflow(cloud: Cloud, staging: str) -> list[str]:
    """The flags of Beam for a job in this cloud."""
    return [
        "--runner=DataflowRunner",
        "--project=project",
        "--region=region",
        f"--temp_location={CLOUD}/{staging}",
        f"--dataflow_endpoint={cloud.service.url}",
    ]


class Submitted(NamedTuple):
    """What a build on Dataflow left.

    Attributes:
        job: the request for the job.
        pipeline: the staged pipeline, serialized.
        printed: what the command wrote on stdout and stderr.
        manifest: the published one.
    """

    job: dict[str, Any]
    pipeline: bytes
    printed: tuple[str, str]
    manifest: dict[str, Any]


@pytest.fixture(scope="session")
def submitted(cloud: Cloud, inputs: list[str], checkout: Path, packages: Path) -> Submitted:
    """``embprep build`` from a clone, with its package staged by ``--setup_file``."""
    command = [packages / "bin" / "python", "-m", "pipeline", "build", *inputs, *FLAGS]
    command += [f"--output={CLOUD}/out", *on_dataflow(cloud, "staging")]
    command += ["--setup_file=setup.py", "--experiments=pip_no_build_isolation"]
    command += ["--machine_type=n2-highmem-4", "--max_num_workers=25"]
    command += ["--number_of_worker_harness_threads=2", "--service_account_email=worker@project"]
    done = run(command, cwd=checkout, env=cloud.variables)
    (job,) = cloud.service.jobs
    return Submitted(
        job,
        cloud.storage.get(pipeline_uri(job)),
        (done.stdout, done.stderr),
        json.loads(cloud.storage.get(f"{CLOUD}/out/manifest.json")),
    )
