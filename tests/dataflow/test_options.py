"""What the flags of Beam that concern Dataflow make of a build, before any job is made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions

from formats.errors import DataError, UsageError
from pipeline.build import build
from pipeline.config import BuildConfig
from pipeline.engine import error_of_worker, is_only_described, make_pipeline


@pytest.mark.parametrize("flag", ["--template_location=gs://bucket/t", "--dry_run=true"])
def test_a_template_and_a_dry_run_only_describe_a_job(flag: str) -> None:
    assert is_only_described(PipelineOptions(["--runner=DataflowRunner", flag]))
    assert not is_only_described(PipelineOptions(["--runner=DataflowRunner"]))
    # On this machine they mean nothing.
    assert not is_only_described(PipelineOptions([flag]))


def test_vectors_that_another_job_makes_are_refused_in_a_description(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("a b\n")
    config = BuildConfig([f"train={corpus}"], ["train:lsa"], str(tmp_path / "out"), "text")
    options = PipelineOptions(["--runner=DataflowRunner", "--template_location=gs://bucket/t"])
    with pytest.raises(UsageError, match="^--vectors train:lsa: is made by jobs that run before"):
        build(config, options)
    assert os.listdir(tmp_path) == ["corpus.txt"]


@pytest.mark.parametrize("runner", ["DataflowRunner", "FnApiRunner"])
def test_a_main_session_is_never_saved(runner: str) -> None:
    options = PipelineOptions([f"--runner={runner}", "--save_main_session"])
    with pytest.raises(UsageError, match="^--save_main_session: "):
        make_pipeline(options, 0)


@pytest.mark.parametrize(
    ("given", "used"),
    [("setup.py", "./setup.py"), ("./setup.py", "./setup.py"), ("a/b.py", "a/b.py")],
)
def test_a_setup_file_of_the_working_directory_needs_no_dot(given: str, used: str) -> None:
    # The runner is one that needs no packages of Google's.
    options = PipelineOptions(["--runner=PortableRunner", f"--setup_file={given}"])
    make_pipeline(options, 0)
    assert options.view_as(SetupOptions).setup_file == used


def test_the_error_of_a_worker_is_told_as_it_was_raised() -> None:
    # As DataflowRunner gives on the message of a job that failed.
    failure = RuntimeError(
        "Dataflow pipeline failed. State: FAILED, Error:\nTraceback (most recent call last):\n"
        '  File "apache_beam/runners/common.py", line 1, in process\n'
        "formats.errors.DataError: gs://b/c.csv: byte 7: found one thing [while running 'Read-1']\n"
        "\nDuring handling of the above exception, another exception occurred:\n"
    )
    error = error_of_worker(failure)
    assert isinstance(error, DataError)
    assert str(error) == "gs://b/c.csv: byte 7: found one thing"
