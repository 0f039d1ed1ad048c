"""What a build shows while it runs: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import itertools
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import progress
from pipeline.main import main
from pipeline.plan import Plan
from pipeline.progress import Progress
from transforms.progress import DIRECTORY_VARIABLE, StageProgress

ROOT = Path(__file__).parents[2]
LINE = re.compile(
    r" *(?P<seconds>[0-9]+\.[0-9]) s  (?P<stage>[A-Z][A-Za-z]+): "
    r"(?P<mib>[0-9,]+\.[0-9])( of [0-9,]+\.[0-9])? MiB, "
    r"(?P<records>[0-9,]+) records, (?P<rejects>[0-9,]+) rejects(, (?P<left>[0-9,]+) s left)?"
)
TABLE = ("vocabulary", "matched", "token coverage", "matrix", "examples", "labels", "rejects",
         "time", "dataset")  # fmt: skip


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A job of some seconds, with one bad row."""
    folder = tmp_path_factory.mktemp("inputs")
    words = [f"word{number}" for number in range(3000)]
    rows = (f"{' '.join(words[i % 2900 : i % 2900 + 40])} x{i}\t{i % 2}\n" for i in range(40000))
    (folder / "corpus.tsv").write_text("text\tlabel\n\t1\n" + "".join(rows))
    vectors = "".join(f"{word} {' '.join(['0.25'] * 50)}\n" for word in words)
    (folder / "vectors.txt").write_text(vectors)
    return [
        "build",
        f"--corpus={folder / 'corpus.tsv'}",
        f"--vectors={folder / 'vectors.txt'}",
        f"--output={folder / 'dataset'}",
    ]


def table_of(text: str) -> dict[str, str]:
    rows = (re.split(r" {2,}", line, maxsplit=1) for line in text.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2 and row[0] in TABLE}


def on_a_terminal(command: list[str]) -> tuple[int, str]:
    """Runs a command whose standard output and error are a terminal; gives what it shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, cwd=ROOT)
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 1 << 16)
        except OSError:  # Linux says so when the other end is closed.
            break
        if not data:
            break
        shown += data
    os.close(ours)
    return process.wait(), shown.decode()


@pytest.mark.parametrize(
    "flags", [[], ["--direct_num_workers=2"], ["--direct_running_mode=multi_processing"]]
)
def test_a_terminal_shows_a_live_line_and_then_the_table(
    flags: list[str], arguments: list[str]
) -> None:
    code, shown = on_a_terminal([sys.executable, "-m", "pipeline", *arguments, *flags])
    assert code == 0
    live, clear, table = shown.rpartition("\r\x1b[K")
    assert clear
    assert "\n" not in live, "the live line stays one line"
    lines = [part for part in live.split("\r\x1b[K") if part]
    found = [match for match in map(LINE.fullmatch, lines) if match]
    assert len(found) == len(lines) > 0
    assert {match["stage"] for match in found} <= {
        "ReadCorpus", "JoinVectors", "WriteEmbeddingMatrix", "EncodeExamples", "WriteExamples"
    }  # fmt: skip
    assert any(match["records"] != "0" for match in found)
    assert list(table_of(table)) == list(TABLE)


def test_a_line_adds_up_what_was_read_and_what_was_rejected(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LOG_SECONDS", 0.05)
    shown: list[dict[str, str]] = []
    counts = itertools.count()
    with Progress(_plan()):
        # What comes soon after what is already written is written with what comes later.
        while not shown or shown[-1]["rejects"] == "0":
            assert next(counts) < 200
            StageProgress("ReadCorpus").add(read=1 << 20, records=1000, rejects=3)
            time.sleep(0.1)
            lines = map(LINE.fullmatch, capsys.readouterr().out.splitlines())
            shown += [match.groupdict() for match in lines if match]
    assert shown[-1]["stage"] == "ReadCorpus"
    number = int(shown[-1]["rejects"].replace(",", ""))
    assert shown[-1]["records"] == f"{number // 3 * 1000:,}"


def test_the_table_tells_what_was_published(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--run_id=told"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "\x1b" not in printed.out
    table = table_of(printed.out)
    assert re.fullmatch(r"[0-9,]+ tokens, \[PAD\] and \[UNK\] included", table["vocabulary"])
    assert re.fullmatch(r"[0-9,]+ \([0-9.]+% of the vocabulary\)", table["matched"])
    assert re.fullmatch(r"9[0-9]\.[0-9]%", table["token coverage"])
    examples = re.fullmatch("train ([0-9,]+), validation ([0-9,]+), test ([0-9,]+)",
                            table["examples"])  # fmt: skip
    assert examples
    assert sum(int(number.replace(",", "")) for number in examples.groups()) == 40000
    assert table["labels"] == "0, 1"
    assert table["rejects"] == "1 corpus rows, 0 vector rows"
    assert re.fullmatch(r"[0-9.]+ s", table["time"])
    assert table["dataset"] == f"{arguments[-1].partition('=')[2]} (run told)"


def test_elsewhere_plain_lines_are_logged(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LOG_SECONDS", 0.2)
    assert main(arguments) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(TABLE)]
    assert lines
    assert all(map(LINE.fullmatch, lines)), lines


def test_a_line_tells_how_long_the_stage_will_take(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LOG_SECONDS", 0.1)
    shown: list[re.Match[str]] = []
    until = time.monotonic() + 30
    with Progress(_plan()._replace(corpus_bytes=1000 << 20)):
        while not shown or float(shown[-1]["seconds"]) - float(shown[0]["seconds"]) < 2:
            assert time.monotonic() < until
            StageProgress("ReadCorpus").add(read=10 << 20)
            time.sleep(0.25)
            lines = map(LINE.fullmatch, capsys.readouterr().out.splitlines())
            shown += [match for match in lines if match]
    first, last = shown[0], shown[-1]
    assert first["left"] is None
    speed = (float(last["mib"]) - float(first["mib"])) / 2
    assert float(last["left"]) == pytest.approx((1000 - float(last["mib"])) / speed, rel=0.5)


def test_a_reader_who_leaves_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(progress, "_LOG_SECONDS", 0.01)
    with capsys.disabled():
        monkeypatch.setattr(sys, "stdout", Closed())
        with Progress(_plan()):
            folder = os.environ[DIRECTORY_VARIABLE]
            StageProgress("ReadCorpus").add(read=1)
            time.sleep(0.3)
        monkeypatch.undo()
    assert not os.path.exists(folder)


def _plan() -> Plan:
    return Plan([], [], False, [], [], [], 1, 0, 0, [])
