"""The measurement of large vocabularies, with a small one."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import large_vocabulary
from benchmarks.large_vocabulary import main
from benchmarks.measure import Measured
from formats.dataset.manifest import PublishedFile


def test_each_way_to_join_is_measured_and_publishes_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"--data={tmp_path}", "--tokens=2000"]) == 0
    *_, broadcast, shuffle, said = capsys.readouterr().out.splitlines()
    for join, row in (("broadcast", broadcast), ("shuffle", shuffle)):
        name, seconds, own, workers = (cell.strip() for cell in row.strip("|").split("|"))
        assert name == join
        assert float(seconds) > 0
        assert all(50 < int(peak) < 1000 for peak in [own, *workers.split(", ")])
    assert said == "what they publish is the same"


def test_a_difference_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        large_vocabulary, "run_program", lambda command: Measured(1.0, 1, "", (1, 1))
    )
    monkeypatch.setattr(large_vocabulary, "published", lambda output: output.name)
    monkeypatch.setattr(large_vocabulary, "published_files", _file_named)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    assert main([f"--data={tmp_path}", "--tokens=100"]) == 1
    assert capsys.readouterr().out.endswith("DIFFERS\n")


def _file_named(name: str) -> list[PublishedFile]:
    return [PublishedFile("vocabulary.path", "runs/1/vocabulary.txt", None, name)]
