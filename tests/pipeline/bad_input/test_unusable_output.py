"""An OUTPUT that can't be written, and one that can be in spite of what it holds."""

from __future__ import annotations

import os

import pytest

from pipeline.main import main
from pipeline.verify import verify_dataset
from tests.pipeline.bad_input.bench import CORPUS, Bench, Refused


class TestOutput:
    @pytest.fixture
    def unread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The work must not begin."""

        def fail(*_: object) -> None:
            raise AssertionError("the corpus is read though OUTPUT can't be written")

        monkeypatch.setattr("apache_beam.Pipeline.run", fail)

    @pytest.mark.usefixtures("unread")
    def test_one_that_cannot_be_written_is_found_before_the_work(
        self, bench: Bench, refused: Refused
    ) -> None:
        folder = bench.folder / "has a folder in the manifest's place"
        (folder / "manifest.json").mkdir(parents=True)
        for output in (
            f"{bench.corpus}",
            f"{bench.corpus}/below",
            f"{folder}",
            "/dev/null",
            "/proc/embprep",
        ):
            line = refused(2, f"--output={output}")
            assert line.startswith(f"--output {output}: can't be written: ")
        assert bench.corpus.read_text() == CORPUS
        assert os.listdir(folder) == ["manifest.json"]

    @pytest.mark.usefixtures("unread")
    def test_the_run_in_force_is_not_replaced_under_its_name(self, refused: Refused) -> None:
        assert refused(2, "--run_id=first").startswith("--run_id first: the dataset in force")

    def test_a_damaged_manifest_can_be_replaced(self, bench: Bench) -> None:
        output = bench.folder / "damaged"
        output.mkdir()
        (output / "manifest.json").write_text("{")
        assert main(bench.arguments(f"--output={output}", "--run_id=first")) == 0
        assert verify_dataset(str(output)) == []

    def test_a_run_that_died_is_replaced_under_its_name(self, bench: Bench) -> None:
        output = bench.folder / "died"
        died = output / "runs" / "again"
        died.mkdir(parents=True)
        (died / "train-00000-of-00009.tfrecord.gz").write_bytes(b"half")
        assert main(bench.arguments(f"--output={output}", "--run_id=again")) == 0
        assert not (died / "train-00000-of-00009.tfrecord.gz").exists()
        assert verify_dataset(str(output)) == []
