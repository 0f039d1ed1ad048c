"""Beam's local engine with several workers: threads of this process, or processes of their own."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.fn_runner import (
    ExtendedProvisionInfo,
    ParallelBundleManager,
)
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipeline.local_bundles import BoundedBundles
from transforms.progress import STOP


class WorkerThreadRunner(FnApiRunner):
    """Beam's local engine with workers in threads of this process.

    Beam hears of a worker's failure when those before it have done all of their work, and leaves
    the others at work when it raises. Here a failure stops the others, and is raised when they
    have stopped.
    """

    def __init__(self) -> None:
        super().__init__()
        self._idle = threading.Condition()
        self._at_work = 0
        self._failure: BaseException | None = None

    def _execute_bundle(self, context: Any, bundle_context: Any, *arguments: Any) -> Any:
        for worker in bundle_context.worker_handlers:
            if "push" not in vars(worker):
                worker.push = self._watched(worker.push)
        try:
            return super()._execute_bundle(context, bundle_context, *arguments)
        except BaseException as error:
            with self._idle:
                self._idle.wait_for(lambda: not self._at_work)
            STOP.clear()
            raise self._failure or error from None

    def _watched(self, push: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Beam's way to give an instruction to a worker, with an eye on how it ends."""

        def watched(request: Any) -> Any:
            with self._idle:
                self._at_work += 1
            try:
                return push(request)
            except BaseException as error:
                self._failure = self._failure or error
                STOP.set()
                raise
            finally:
                with self._idle:
                    self._at_work -= 1
                    self._idle.notify_all()

        return watched


class WorkerProcessRunner(FnApiRunner):
    """Beam's local engine with workers in processes of their own.

    It is the engine of ``--direct_running_mode multi_processing``, which may wait for ever when a
    worker fails: another that was still starting is not told to end. Here they are told.

    The workers import from where this process does: a folder of the working directory that is
    called like one of our packages must not come before it. Their log goes through Beam to this
    process. What they print besides is a copy of it, and would come between a user and the one
    line of an error.

    Args:
        options: Beam's options, which the workers are told too: they may have to reach files with
            them. The engine by itself tells them none.
    """

    def __init__(self, options: PipelineOptions) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="embprep-workers-")
        self._stop = Path(self._folder.name, "stop")
        program = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from pipeline.worker import main; main({os.getpid()}, {str(self._stop)!r})"
        )
        command = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(program)} 2>{os.devnull}"
        told = JobServiceHandle.encode_pipeline_options(options.get_all_options(drop_default=True))
        super().__init__(
            SubprocessSDKEnvironment.from_command_string(command),
            provision_info=ExtendedProvisionInfo(
                beam_provision_api_pb2.ProvisionInfo(pipeline_options=told)
            ),
        )

    def _execute_bundle(self, *arguments: Any) -> Any:
        try:
            return super()._execute_bundle(*arguments)
        except BaseException:
            self._stop.touch()
            raise

    def _get_bundle_manager(self, bundle_context_manager: Any) -> Any:
        manager = super()._get_bundle_manager(bundle_context_manager)
        if isinstance(manager, ParallelBundleManager):
            # A stage that has state is left to Beam, which makes one bundle of it.
            return BoundedBundles(
                bundle_context_manager,
                self._progress_frequency,
                cache_token_generator=self.get_cache_token_generator(static=False),
            )
        return manager
