"""What docs/dataflow.md says that can be checked: its flags, and its arithmetic."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.flags import beam_parser, build_parser


@pytest.fixture(scope="module")
def text(repository: Path) -> str:
    return (repository / "docs" / "dataflow.md").read_text(encoding="utf-8")


def test_the_flags_are_those_that_there_are(text: str) -> None:
    known = {*build_parser()._option_string_actions, *beam_parser("")._option_string_actions}
    # Those of other programs have dashes.
    flags = set(re.findall(r"--[a-z]+(?:_[a-z]+)+\b(?!-)", text))
    assert len(flags) > 10
    assert flags - known == set()


def test_the_costs_are_what_the_arithmetic_gives(text: str) -> None:
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code
    names: dict = {}
    exec(code.group(1), names)
    rows = re.findall(r"^\| (100 GB|10 TB), (.*?) \| (\d+) \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) == 7
    shards = {"`--example_shards 256`": 256, "by default": 4000, "`--shuffle_seed none`": None}
    for corpus, flag, workers, told in rows:
        gigabytes = {"100 GB": 100, "10 TB": 10_000}[corpus]
        hours, machines, shuffle = names["run"](gigabytes, int(workers), shards[flag])
        counted = (f"{hours:.1f}", f"{machines:.2f}", f"{shuffle:.2f}", f"{machines + shuffle:.2f}")
        assert told == " | ".join(counted)
