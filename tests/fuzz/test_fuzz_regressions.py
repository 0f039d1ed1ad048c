"""Every fuzz target holds on its seeds and on a few changes of them, the same in every run."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.mutations import grow, mutate_bytes
from tests.fuzz.target import CHOICE_BYTES, HEADS, inputs_of, run
from tests.fuzz.targets import TARGETS

_CHANGES = 60
_GROWN, _GROWN_BYTES = 5, 600_000


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_is_read_without_an_error_in_one_way_at_least(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds():
        assert any([run(target, head + seed) for head in HEADS]), seed


@pytest.mark.parametrize("name", TARGETS)
def test_changed_files_are_read_or_refused_by_name(name: str) -> None:
    target = TARGETS[name]
    random = Random(name)
    inputs = inputs_of(target)
    for _ in range(_CHANGES):
        data = random.choice(inputs)
        head, file = data[:CHOICE_BYTES], data[CHOICE_BYTES:]
        mutate = target.mutate if target.mutate and random.random() < 0.7 else mutate_bytes
        run(target, head + mutate(file, random))


@pytest.mark.parametrize("name", TARGETS)
def test_files_grown_by_repetition_are_read_or_refused_by_name(name: str) -> None:
    target = TARGETS[name]
    random = Random(name)
    inputs = inputs_of(target)
    for _ in range(_GROWN):
        data = random.choice(inputs)
        head, file = data[:CHOICE_BYTES], data[CHOICE_BYTES:]
        run(target, head + grow(file, _GROWN_BYTES, random))
