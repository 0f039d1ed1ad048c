"""Beam's distributions of a job, and what they ought to be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from apache_beam.metrics import MetricsFilter

from transforms.progress import NAMESPACE


class Spread(NamedTuple):
    count: int
    sum: int
    min: int
    max: int


def spread(numbers: Iterable[int]) -> Spread:
    """What the distribution of some numbers is."""
    known = list(numbers)
    return Spread(len(known), sum(known), min(known), max(known))


def measured(result: Any) -> dict[str, Spread]:
    """The distributions of a job by name; what several steps of the graph tell is put together."""
    found: dict[str, Spread] = {}
    metrics = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))
    for metric in metrics["distributions"]:
        name, told = metric.key.metric.name, metric.result
        count, total, least, most = found.get(name, Spread(0, 0, told.min, told.max))
        found[name] = Spread(
            count + told.count, total + told.sum, min(least, told.min), max(most, told.max)
        )
    return found
