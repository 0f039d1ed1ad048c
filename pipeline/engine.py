"""Which engine runs the job.

Without ``--runner`` it is Beam's FnApiRunner by name, since ``DirectRunner`` would try to fetch
another engine from the network first and so differ between machines with and without one.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    DebugOptions,
    DirectOptions,
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
    TestOptions,
    TypeOptions,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner

from formats.errors import DataError, EmbprepError, StorageError, UsageError
from pipeline.local_workers import WorkerProcessRunner, WorkerThreadRunner

# For less than this, a second thread costs more than it saves.
_PARALLEL_FROM_BYTES = 4 << 20
# More get in each other's way in what is done in Python itself.
_MOST_THREADS = 4
_IN_MEMORY, _MULTI_PROCESSING = "in_memory", "multi_processing"

_KINDS: dict[str, type[EmbprepError]] = {"UsageError": UsageError, "StorageError": StorageError}
_ERROR_LINE = re.compile(
    r"^(?:formats\.errors\.)?(DataError|UsageError|RowError|StorageError): (.*)$", re.M
)
# Beam's job servers of these engines cut the graph into stages in a way that fails where a Flatten
# takes what a GroupByKey or Reshuffle gives (https://github.com/apache/beam/issues/34647). Beam's
# Python SDK cuts it as for the local engine if it is asked to, and they take it as it is.
_CUT_HERE = ("flinkrunner", "sparkrunner")

# How Beam's portable runners tell that a job failed, before what the engine says of it.
_FAILED_JOB = re.compile(r"Pipeline \S+ failed in state [A-Z]+: (.*)", re.S)
_STAGE = re.compile(r" \[while running '.*'\]$")


def is_local(options: PipelineOptions) -> bool:
    """Whether the job runs on this machine, in Beam's own engine."""
    runner = options.view_as(StandardOptions).runner
    return runner is None or runner.lower() in ("fnapirunner", "local")


def is_only_described(options: PipelineOptions) -> bool:
    """Whether Dataflow is only to be given the description of a job, which nobody runs yet.

    So it is with ``--template_location``, which is also how a flex template is launched, and with
    ``--dry_run``.
    """
    runner = options.view_as(StandardOptions).runner or ""
    return "dataflow" in runner.lower() and bool(
        options.view_as(GoogleCloudOptions).template_location
        or options.view_as(TestOptions).dry_run
    )


def make_pipeline(options: PipelineOptions, input_bytes: int) -> beam.Pipeline:
    """Makes a pipeline for the engine that the options name, by default the local one.

    The local engine works in this process, for all but small inputs in several threads: most of
    the work is done by libraries that let other threads run. ``--direct_num_workers`` and
    ``--direct_running_mode`` decide otherwise.
    """
    options.view_as(TypeOptions).allow_non_deterministic_key_coders = False
    setup = options.view_as(SetupOptions)
    if setup.save_main_session:
        raise UsageError("--save_main_session: nothing of embprep is in the main session; give "
                         "workers the package by --setup_file, or in their image")  # fmt: skip
    if not is_local(options):
        if setup.setup_file and not os.path.dirname(setup.setup_file):
            # Beam changes to the folder of the file, even to one called "".
            setup.setup_file = os.path.join(os.curdir, setup.setup_file)
        _cut_into_stages_here(options)
        try:
            return beam.Pipeline(options=options)
        except ValueError as error:
            raise UsageError(f"--runner: {error}") from error
    options.view_as(StandardOptions).runner = None
    direct = options.view_as(DirectOptions)
    processes = direct.direct_running_mode == _MULTI_PROCESSING
    if "direct_num_workers" not in _given_flags(options):
        processors = os.cpu_count() or 1
        large = input_bytes >= _PARALLEL_FROM_BYTES
        threads = min(processors, _MOST_THREADS) if large else 1
        direct.direct_num_workers = processors if processes else threads
    if direct.direct_num_workers < 0:
        raise UsageError(f"--direct_num_workers {direct.direct_num_workers}: give 1 or more, or 0 "
                         "for as many as there are processors")  # fmt: skip
    runner = FnApiRunner()
    if processes:
        runner = WorkerProcessRunner(options)
        # Beam would put its own worker in the place of ours.
        direct.direct_running_mode = _IN_MEMORY
    elif direct.direct_running_mode == _IN_MEMORY and direct.direct_num_workers != 1:
        runner = WorkerThreadRunner()
    return beam.Pipeline(runner=runner, options=options)


def _cut_into_stages_here(options: PipelineOptions) -> None:
    runner = options.view_as(StandardOptions).runner.lower().rpartition(".")[2]
    debug = options.view_as(DebugOptions)
    if runner in _CUT_HERE and debug.lookup_experiment("pre_optimize") is None:
        debug.add_experiment("pre_optimize=all")


def _given_flags(options: PipelineOptions) -> set[str]:
    """Names of the flags that were given, those with their default values too."""
    return {flag.partition("=")[0].lstrip("-") for flag in options._flags or ()}


def run_pipeline(pipeline: beam.Pipeline, started: Callable[[Any], None] | None = None) -> None:
    """Runs a pipeline to its end.

    Args:
        pipeline: the pipeline.
        started: is given Beam's handle of the job, by the local engine when the job is over, by
            others when it has begun.

    Raises:
        EmbprepError: the error that a worker raised.
        DataError: the engine ended the job otherwise than done.
    """
    try:
        with _no_copies_of_the_log(pipeline.runner):
            result: Any = pipeline.run()
            _tell_job(result)
            if started is not None:
                started(result)
            result.wait_until_finish()
    except Exception as failure:
        if error := error_of_worker(failure):
            raise error from failure
        if found := _FAILED_JOB.match(str(failure)):
            raise DataError(failure_of_engine(found[1])) from failure
        raise
    if result.state not in ("DONE", None):
        raise DataError(f"the job ended as {result.state}; see the engine's own log")


def _tell_job(result: Any) -> None:
    """Says which job it is that Dataflow runs now, since it goes on if this process is ended."""
    if getattr(result, "has_job", False):
        print(f"embprep: submitted as job {result.job_id()}", file=sys.stderr, flush=True)


def failure_of_engine(text: str) -> str:
    """The one line that tells most of what an engine says of a failure that is none of ours.

    That is the last one of a Python traceback, and the first one of what Java and Go print.
    """
    lines = text.strip().splitlines() or ["it does not say why"]
    told = lines[-1] if "Traceback (most recent call last)" in text else lines[0]
    return f"the job failed on its engine: {told}; see the engine's own log"


@contextlib.contextmanager
def _no_copies_of_the_log(runner: Any) -> Iterator[None]:
    """Keeps from the terminal what a worker prints, where the log is kept from it too.

    The worker that Beam starts in this process for another engine prints the errors that it logs.
    """
    if not isinstance(runner, PortableRunner) or logging.getLogger().isEnabledFor(logging.ERROR):
        yield
        return
    shown = sys.stderr
    sys.stderr = _OfOneThread(shown)
    yield
    # Not after a failure: then those workers print on until the process ends.
    sys.stderr = shown


class _OfOneThread(io.TextIOBase):
    """Passes on what the thread writes that makes it; drops what others write.

    Whoever writes to the file itself, as for a signal, still can.
    """

    def __init__(self, shown: TextIO) -> None:
        self._shown = shown
        self._thread = threading.current_thread()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if threading.current_thread() is self._thread:
            return self._shown.write(text)
        return len(text)

    def flush(self) -> None:
        self._shown.flush()

    def isatty(self) -> bool:
        return self._shown.isatty()

    def fileno(self) -> int:
        return self._shown.fileno()


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
            return _KINDS.get(name, DataError)(_STAGE.sub("", message))
    return None
