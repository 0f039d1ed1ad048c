"""What a user is told who names a store and has not installed what reaches it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stores import sample


@pytest.mark.parametrize(
    ("scheme", "line"),
    [
        ("s3", "s3:// needs boto3, which embprep[s3] installs"),
        ("gs", "gs:// needs google-cloud-storage, which embprep[gcs] installs (No module named "),
    ],
)
def test_one_line_says_what_to_install_before_anything_runs(
    scheme: str, line: str, inputs: Path
) -> None:
    flags = sample.flags(str(inputs), f"{scheme}://bucket/out")
    done = sample.run("pipeline", "build", *flags, env=sample.environment(None), fails=True)
    assert done.returncode == 2
    [told] = done.stderr.splitlines()
    assert told.startswith(f"embprep: error: {scheme}://bucket/out/manifest.json: {line}")


def test_no_credentials_are_told_of_at_once(inputs: Path) -> None:
    env = sample.environment("s3")
    done = sample.run("pipeline", "verify", "s3://bucket/out", env=env, fails=True)
    assert done.returncode == 1
    assert "s3://bucket/out/manifest.json: Unable to locate credentials" in done.stderr
