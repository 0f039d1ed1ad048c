"""Builds as a user makes them, each by a command of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from formats.dataset.manifest import parse_manifest
from pipeline.verify import verify_dataset
from tests.engines.running import ROOT
from tests.pipeline.built import Dataset


def start(
    arguments: Sequence[str], output: Path, flags: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Starts ``embprep build``; what it writes to standard error is kept."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "build", *arguments, f"--output={output}", *flags],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    arguments: Sequence[str], output: Path, flags: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Runs ``embprep build`` to its end."""
    process = start(arguments, output, flags)
    _, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, None, errors)


def build(arguments: Sequence[str], output: Path, flags: Sequence[str] = ()) -> Dataset:
    """Builds a dataset, and checks it by its own manifest."""
    ended = run(arguments, output, flags)
    assert (ended.returncode, ended.stderr) == (0, "")
    return published(output)


def published(output: Path) -> Dataset:
    """The dataset in force in a folder, checked by its own manifest."""
    assert verify_dataset(str(output)) == []
    return Dataset(output, parse_manifest((output / "manifest.json").read_bytes(), "manifest"))
