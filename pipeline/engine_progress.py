"""What a job on another engine has done so far, by the counters that the engine reports.

Every stage counts its bytes, records and rejects (``transforms.progress``), under the same names on
every engine. When an engine tells them differs: some while the job runs, some when it is over.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from apache_beam.metrics import MetricsFilter
from apache_beam.runners.portability.portable_runner import PipelineResult

from transforms.progress import NAMESPACE

_LOGGER = logging.getLogger(__name__)
_OURS = MetricsFilter().with_namespace(NAMESPACE)


class EngineProgress:
    """Asks an engine what the stages of a job have done.

    Args:
        result: Beam's handle of the running job.
    """

    def __init__(self, result: Any) -> None:
        self._result = result
        self._stages: dict[str, Counter[str]] = {}

    def stages(self) -> dict[str, Counter[str]]:
        """What each stage has done; the stage that last did something is the last."""
        try:
            now = counted_by_stage(self._result)
        except Exception:
            # Progress is a courtesy: an engine that does not answer must not fail the job. What
            # is wrong with it, waiting for its end will tell.
            _LOGGER.info("the engine tells no counters", exc_info=True)
            return self._stages
        for stage, done in now.items():
            if done != self._stages.get(stage):
                self._stages.pop(stage, None)
                self._stages[stage] = done
        return self._stages


def counted_by_stage(result: Any) -> dict[str, Counter[str]]:
    """The counters of a job as they are now, by stage, then by what they count.

    Args:
        result: Beam's handle of the job.
    """
    # Beam's portable runners keep the first answer, which is that of a job that has just begun.
    if isinstance(result, PipelineResult):
        result._metrics = None
    stages: dict[str, Counter[str]] = {}
    # A stage may stand in the graph several times, and counts there each for itself.
    for counter in result.metrics().query(_OURS)["counters"]:
        stage, _, what = counter.key.metric.name.rpartition("_")
        number = max(counter.attempted or 0, counter.committed or 0)
        stages.setdefault(stage, Counter())[what] += number
    return stages
