"""The command as a process of its own, when it fails."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.bad_input.bench import PROCESSES, PROGRESS, WORDS, WORKERS, Bench
from tests.pipeline.bad_input.damaged_vectors import DAMAGED


class TestProcess:
    """The command as a process of its own, where nothing but the one line may come out."""

    def run(
        self, bench: Bench, *flags: str, file_bytes: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        def limit() -> None:
            if file_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

        return subprocess.run(
            [sys.executable, "-m", "pipeline", *bench.arguments(*flags)],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[3],
            timeout=100,
            preexec_fn=limit,
        )

    def test_wrong_usage_ends_with_2(self, bench: Bench) -> None:
        ended = self.run(bench, "--max_tokns=5")
        assert (ended.returncode, ended.stdout) == (2, "")
        expected = "embprep: error: unknown flag --max_tokns; did you mean --max_tokens?\n"
        assert ended.stderr == expected

    @pytest.mark.parametrize("flags", [(), (WORKERS,), (WORKERS, PROCESSES)])
    def test_a_failed_job_ends_with_1(self, flags: tuple[str, ...], bench: Bench) -> None:
        name, data, _ = DAMAGED["text cut in a float"]
        path = bench.file(name, data)
        ended = self.run(bench, f"--vectors={path}", *flags)
        assert ended.returncode == 1
        assert all(map(PROGRESS.match, ended.stdout.splitlines()))
        [line] = ended.stderr.splitlines()
        assert line.startswith(f"embprep: error: {path}: row 40, byte ")

    def test_verbose_shows_the_traceback(self, bench: Bench) -> None:
        ended = self.run(bench, "--max_tokns=5", "--verbose")
        assert ended.returncode == 2
        assert "Traceback (most recent call last)" in ended.stderr

    def test_a_disk_that_is_full(self, bench: Bench) -> None:
        # The limit of a file's size stands in for the disk: the matrix is larger.
        path = bench.file("wide.txt", "".join(f"{word} {'0.5 ' * 900}\n" for word in WORDS))
        ended = self.run(bench, f"--vectors={path}", file_bytes=50_000)
        assert ended.returncode == 1
        assert all(map(PROGRESS.match, ended.stdout.splitlines()))
        [line] = ended.stderr.splitlines()
        assert "File too large" in line
