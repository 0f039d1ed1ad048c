"""Bad input ends in one line, and the dataset before is untouched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.main import main
from pipeline.verify import verify_dataset
from tests.pipeline.bad_input.bench import PROGRESS, Bench, Refused


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("bench"))
    assert main(bench.arguments("--run_id=first")) == 0
    return bench


@pytest.fixture(autouse=True)
def the_dataset_before_stays(bench: Bench) -> Iterator[None]:
    """After each test here: same manifest, same files, and verify finds nothing."""
    before = bench.state()
    yield
    assert bench.state() == before
    assert verify_dataset(str(bench.output)) == []


@pytest.fixture
def refused(bench: Bench, capfd: pytest.CaptureFixture[str]) -> Refused:
    """Runs a build that must fail with an exit code, and gives its one line."""

    def run(code: int, *flags: str) -> str:
        assert main(bench.arguments(*flags)) == code
        printed = capfd.readouterr()
        assert all(map(PROGRESS.match, printed.out.splitlines()))
        [line] = printed.err.splitlines()
        assert line.startswith("embprep: error: ")
        assert "--verbose" not in line, "an error that nobody foresaw"
        return line.removeprefix("embprep: error: ")

    return run
