from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.measure import ProgramError, family, run_program

MB = 1_000_000

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory is read from /proc"
)


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_the_seconds_are_those_of_the_whole_process_and_the_last_line_is_kept() -> None:
    run = run_program(python("import time; time.sleep(0.3); print('first'); print('last')"))
    assert 0.3 <= run.seconds < 5
    assert run.last_line == "last"


@needs_proc
def test_what_a_child_holds_counts_and_so_does_what_was_given_back() -> None:
    holding = "data = bytearray(50_000_000); del data; import time; time.sleep(0.3)"
    starting = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}], check=True)"
    small = run_program(python(starting.format("import time; time.sleep(0.3)"))).peak_bytes
    large = run_program(python(starting.format(holding))).peak_bytes
    assert small is not None
    assert large is not None
    assert 45 * MB < large - small < 60 * MB


@needs_proc
def test_a_process_is_of_its_own_family() -> None:
    import os

    assert os.getpid() in family(os.getppid())


def test_a_program_that_fails_says_what_it_wrote() -> None:
    with pytest.raises(ProgramError, match=r"ended with 3:\nsaid\ncomplained"):
        run_program(
            python("import sys; print('said'); print('complained', file=sys.stderr); sys.exit(3)")
        )


def test_a_program_imports_from_this_checkout(repository: Path) -> None:
    run = run_program(python("import formats; print(formats.__path__[0])"))
    assert Path(run.last_line) == repository / "formats"
