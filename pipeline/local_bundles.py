"""Bundles of bounded size, for the worker processes of Beam's local engine."""

from __future__ import annotations

import copy
import functools
import itertools
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, wait
from typing import Any

from apache_beam.metrics import monitoring_infos
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.execution import GroupingBuffer
from apache_beam.runners.portability.fn_api_runner.fn_runner import (
    BundleManager,
    ParallelBundleManager,
)
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

_BUNDLE_BYTES = 64 << 20
# Into how many parts for each worker groups are divided before bundles are made of them.
_PARTS = 128

# The input of a bundle: for each transform that reads it, encoded elements.
_Bundle = dict[str, Any]


class BoundedBundles(ParallelBundleManager):
    """Gives workers their share of a stage's input in bundles of about 64 MiB.

    Beam's own class makes one bundle for each worker, all of which is sent as one message, and
    is there several times over while it is received and decoded. Here each worker has one bundle
    at a time, and gets the next when it is done.
    """

    def process_bundle(
        self,
        inputs: Mapping[str, Any],
        expected_outputs: Any,
        fired_timers: Mapping[Any, Any],
        expected_output_timers: Any,
        dry_run: bool = False,
    ) -> Any:
        """Has the workers process the input; arguments and result are those of Beam's class."""
        arguments = expected_outputs, fired_timers, expected_output_timers, dry_run
        if expected_output_timers:
            return super().process_bundle(inputs, *arguments)
        bundles = deque(cut_into_bundles(inputs, self._num_workers))
        failed = threading.Event()

        def work(handler: Any) -> list[Any]:
            manager = self._manager_of(handler)
            results = []
            while not failed.is_set():
                try:
                    bundle = bundles.popleft()
                except IndexError:
                    break
                results.append(manager.process_bundle(bundle, *arguments))
            return results

        results = []
        # Its threads are not waited for, since a worker that is only starting may never answer.
        with shared_unbounded_instance() as executor:
            handlers = self.bundle_context_manager.worker_handlers
            working = [executor.submit(work, handler) for handler in handlers]
            done, others = wait(working, return_when=FIRST_EXCEPTION)
            if others:
                failed.set()
            for worker in done:
                results += worker.result()
        splits = [split for _, of_bundle in results for split in of_bundle]
        return functools.reduce(_merge, [result for result, _ in results]), splits

    def _manager_of(self, handler: Any) -> BundleManager:
        # Beam's would take the next worker in turn, whether it has a bundle or not.
        context = copy.copy(self.bundle_context_manager)
        context._worker_handlers = [handler]
        return BundleManager(
            context, self._progress_frequency, cache_token_generator=self._cache_token_generator
        )


def cut_into_bundles(inputs: Mapping[str, Any], workers: int) -> list[_Bundle]:
    """Cuts the input of a stage into bundles of about 64 MiB, one at least.

    Args:
        inputs: Beam's buffers by the transforms that read them.
        workers: how many bundles there are to be for each input that has as many elements.
    """
    bundles: list[_Bundle] = []
    for name, buffer in inputs.items():
        parts = workers * (_PARTS if isinstance(buffer, GroupingBuffer) else 1)
        # In turn from each part, so that what is made one bundle is spread over all of the input.
        in_turn = itertools.zip_longest(*buffer.partition(parts))
        data = [data for data in itertools.chain.from_iterable(in_turn) if data]
        number = max(workers, -(-sum(map(len, data)) // _BUNDLE_BYTES))
        nothing: _Bundle = {other: [] for other in inputs}
        bundles += [nothing | {name: data[at::number]} for at in range(number) if data[at::number]]
    return bundles or [{name: [] for name in inputs}]


def _merge(first: Any, second: Any) -> Any:
    """The result of two bundles; as Beam's class merges them."""
    infos: Iterable[Any] = itertools.chain(
        second.process_bundle.monitoring_infos, first.process_bundle.monitoring_infos
    )
    return beam_fn_api_pb2.InstructionResponse(
        process_bundle=beam_fn_api_pb2.ProcessBundleResponse(
            monitoring_infos=monitoring_infos.consolidate(infos)
        ),
        error=second.error or first.error,
    )
