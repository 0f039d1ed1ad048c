"""The stages of a build and their seconds, as ``benchmarks.stages`` prints them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the start is read from /proc")
def test_the_shares_of_the_stages_add_up(tmp_path: Path, repository: Path) -> None:
    corpus, vectors = tmp_path / "corpus.txt", tmp_path / "vectors.txt"
    corpus.write_text("".join(f"some words and number {row}\n" for row in range(200_000)))
    vectors.write_text("some 0.5 1.5\nwords 2.5 3.5\nand 4.5 5.5\n")
    flags = [f"--corpus={corpus}", f"--vectors={vectors}", f"--output={tmp_path / 'out'}"]
    command = [sys.executable, "-m", "benchmarks.stages", *flags]
    run = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    rows = re.findall(r"^ +([0-9.]+) +([0-9]+)%  (.+)$", run.stdout, re.M)
    stages = {name: float(seconds) for seconds, _, name in rows}
    whole = stages.pop("the whole process")
    assert sum(stages.values()) == pytest.approx(whole, abs=0.01 * len(stages))
    assert "imports, making the graph, the rest" in stages
    # Beam fuses them in one order or another.
    assert any({"ReadCorpus", "Tokenize"} <= set(name.split(", ")) for name in stages)
