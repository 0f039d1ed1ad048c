"""Which engine runs the job.

Without ``--runner`` it is Beam's FnApiRunner by name, since ``DirectRunner`` would try to fetch
another engine from the network first and so differ between machines with and without one.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    StandardOptions,
    TypeOptions,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from formats.errors import DataError, EmbprepError, UsageError

# Two worker processes take about 3 s to start, which an input of this size earns back.
_PARALLEL_FROM_BYTES = 1 << 30

_ERROR_LINE = re.compile(r"^(?:formats\.errors\.)?(DataError|UsageError|RowError): (.*)$", re.M)
_STAGE = re.compile(r" \[while running '.*'\]$")


def is_local(options: PipelineOptions) -> bool:
    """Whether the job runs on this machine, in Beam's own engine."""
    runner = options.view_as(StandardOptions).runner
    return runner is None or runner.lower() in ("fnapirunner", "local")


def make_pipeline(options: PipelineOptions, input_bytes: int) -> beam.Pipeline:
    """Makes a pipeline for the engine that the options name, by default the local one.

    The local engine works in this process, or for large inputs in as many worker processes as
    there are processors. ``--direct_num_workers`` decides otherwise.
    """
    options.view_as(TypeOptions).allow_non_deterministic_key_coders = False
    if not is_local(options):
        try:
            return beam.Pipeline(options=options)
        except ValueError as error:
            raise UsageError(f"--runner: {error}") from error
    options.view_as(StandardOptions).runner = None
    direct = options.view_as(DirectOptions)
    given = _given_flags(options)
    if "direct_num_workers" not in given:
        large = input_bytes >= _PARALLEL_FROM_BYTES
        direct.direct_num_workers = os.cpu_count() or 1 if large else 1
    if direct.direct_num_workers < 0:
        raise UsageError(f"--direct_num_workers {direct.direct_num_workers}: give 1 or more, or 0 "
                         "for as many as there are processors")  # fmt: skip
    in_processes = "direct_running_mode" not in given and direct.direct_num_workers != 1
    runner = _WorkerProcessRunner() if in_processes else FnApiRunner()
    return beam.Pipeline(runner=runner, options=options)


def _given_flags(options: PipelineOptions) -> set[str]:
    """Names of the flags that were given, those with their default values too."""
    return {flag.partition("=")[0].lstrip("-") for flag in options._flags or ()}


class _WorkerProcessRunner(FnApiRunner):
    """Beam's local engine with workers in processes of their own.

    It is the engine of ``--direct_running_mode multi_processing``, which may wait for ever when a
    worker fails: another that was still starting is not told to end. Here they are told.

    The workers import from where this process does: a folder of the working directory that is
    called like one of our packages must not come before it. Their log goes through Beam to this
    process. What they print besides is a copy of it, and would come between a user and the one
    line of an error.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="embprep-workers-")
        self._stop = Path(self._folder.name, "stop")
        program = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from pipeline.worker import main; main({os.getpid()}, {str(self._stop)!r})"
        )
        command = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(program)} 2>{os.devnull}"
        super().__init__(SubprocessSDKEnvironment.from_command_string(command))

    def _execute_bundle(self, *arguments: Any) -> Any:
        try:
            return super()._execute_bundle(*arguments)
        except BaseException:
            self._stop.touch()
            raise


def run_pipeline(pipeline: beam.Pipeline) -> None:
    """Runs a pipeline to its end.

    Raises:
        EmbprepError: the error that a worker raised.
        DataError: the engine ended the job otherwise than done.
    """
    try:
        result: Any = pipeline.run()
        result.wait_until_finish()
    except Exception as failure:
        if error := error_of_worker(failure):
            raise error from failure
        raise
    if result.state not in ("DONE", None):
        raise DataError(f"the job ended as {result.state}; see the engine's own log")


def error_of_worker(failure: BaseException) -> EmbprepError | None:
    """The error that a worker raised, from what the engine says of the failure.

    Engines pass on a worker's error as the text of its traceback, so it is found there by its
    name. None when the failure is something else.
    """
    chain: list[Any] = []
    current: BaseException | None = failure
    while current is not None and current not in chain:
        if isinstance(current, EmbprepError):
            return type(current)(_STAGE.sub("", str(current)))
        chain.append(current)
        current = current.__cause__ or current.__context__
    for error in chain:
        if found := _ERROR_LINE.findall(str(error)):
            name, message = found[-1]
            kind = UsageError if name == "UsageError" else DataError
            return kind(_STAGE.sub("", message))
    return None
