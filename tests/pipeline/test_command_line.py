"""The commands, their help, and odd but right things that users give them."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from formats.dataset.manifest import Manifest, parse_manifest
from pipeline.main import main
from pipeline.verify import verify_dataset

ROOT = Path(__file__).parents[2]

# The first column of the table of flags in the design.
BUILD_FLAGS = """--corpus --corpus_format --text_column --label_column --splits --tokenizer
    --max_tokens --min_count --vocabulary --vocabulary_splits --vector_tokens --vectors --combine
    --fallback --oov --dtype --matrix_shards --matrix_format --max_length --padding --truncating
    --example_shards --compression --shuffle_seed --max_reject_fraction --run_id
    --output --config --verbose""".split()  # noqa: SIM905

CORPUS = "text\tlabel\n" + "a good film\tpos\na bad film\tneg\n" * 30
VECTORS = "good 1 2\nbad 3 4\nfilm 5 6\nservice 7 8\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a corpus and vectors."""
    monkeypatch.chdir(tmp_path)
    Path("corpus.tsv").write_text(CORPUS)
    Path("vectors.txt").write_text(VECTORS)
    return tmp_path


def build(*flags: str) -> Manifest:
    """A build that must succeed; gives the manifest of its dataset, which is whole."""
    given = {flag.partition("=")[0] for flag in flags}
    good = {"--corpus": "train=corpus.tsv", "--vectors": "vectors.txt", "--output": "out"}
    assert main(["build", *(f"{k}={v}" for k, v in good.items() if k not in given), *flags]) == 0
    [output] = [flag.partition("=")[2] for flag in flags if flag.startswith("--output=")] or ["out"]
    assert verify_dataset(output) == []
    return parse_manifest(Path(output, "manifest.json").read_bytes(), output)


def help_of(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = ended.code  # type: ignore[assignment]
    assert code == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


class TestHelp:
    @pytest.mark.parametrize("flag", ["-h", "--help"])
    def test_of_the_program(self, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
        text = help_of(flag, capsys=capsys)
        assert all(f"embprep {name} " in text for name in ("build", "inspect", "verify"))

    def test_of_build_lists_every_flag(self, capsys: pytest.CaptureFixture[str]) -> None:
        text = help_of("build", "--help", capsys=capsys)
        described = re.findall(r"^  (--[a-z_]+)", text, re.M)
        assert set(BUILD_FLAGS) <= set(described)

    @pytest.mark.parametrize(("command", "name"), [("inspect", "VECTORS"), ("verify", "OUTPUT")])
    def test_of_the_others(
        self, command: str, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert name in help_of(command, "--help", capsys=capsys)

    def test_nothing_given_shows_the_usage(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([]) == 2
        assert capsys.readouterr().out.startswith("usage: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["biuld"], "unknown command biuld; the commands are build, inspect, verify"),
        (["--corpus=x"], "unknown command --corpus=x"),
        (["inspect"], "the following arguments are required: VECTORS"),
        (["inspect", "a", "b"], "unrecognized arguments: b"),
        (["inspect", "--fast"], "the following arguments are required: VECTORS"),
        (["inspect", "nowhere"], "inspect nowhere: no such file"),
        (["verify"], "the following arguments are required: OUTPUT"),
        (["verify", "a", "b"], "unrecognized arguments: b"),
        (["verify", "foo://x"], "foo://x/manifest.json: Beam knows no file system"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert line.startswith(f"embprep: error: {said}")


def test_the_program_and_the_module_are_the_same(here: Path) -> None:
    script = Path(sys.executable).parent / "embprep"
    for command in ([str(script)], [sys.executable, "-m", "pipeline"]):
        ended = subprocess.run(
            [*command, "inspect", "vectors.txt"],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": f"{os.environ['PYTHONPATH']}{os.pathsep}{ROOT}"},
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "dimension  2" in ended.stdout


class TestVerify:
    def test_a_whole_dataset(self, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        build()
        capsys.readouterr()
        assert main(["verify", "out"]) == 0
        printed = capsys.readouterr()
        assert printed.out.startswith("OK out: ")
        assert printed.err == ""

    @pytest.mark.parametrize("place", ["nowhere", "corpus.tsv", "."])
    def test_what_is_no_dataset(
        self, place: str, here: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["verify", place]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("embprep: manifest.json: missing, or can't be read")

    def test_a_flipped_bit(self, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        manifest = build()
        shard = Path("out", manifest.embeddings.shards[0].path)
        data = bytearray(shard.read_bytes())
        data[-1] ^= 1
        shard.write_bytes(data)
        assert main(["verify", "out"]) == 1
        assert f"{manifest.embeddings.shards[0].path}: sha256: expected" in capsys.readouterr().err


class TestInspect:
    def inspect(self, capsys: pytest.CaptureFixture[str], name: str) -> tuple[list[str], str]:
        assert main(["inspect", name]) == 0
        printed = capsys.readouterr()
        return printed.out.splitlines(), printed.err

    def test_it_tells_what_a_file_is(self, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        lines, warnings = self.inspect(capsys, "vectors.txt")
        assert lines == [
            f"file       vectors.txt, {len(VECTORS)} bytes",
            "container  plain",
            "format     GloVe text",
            "header     none",
            "rows       4",
            "dimension  2",
            "tokens     good bad film service",
        ]
        assert warnings == ""

    def test_it_tells_irregularities(self, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        rows = "good 1 2\nno\u0085break 1 2\ntwo words 1 2\ngood 3 4\n 1 2\n" + "x" * 98 + " 1 2\n"
        data = b"7 2\n" + rows.encode() + b"cut\xec\x98 1 2"
        Path("odd.vec.gz").write_bytes(gzip.compress(data))
        lines, warnings = self.inspect(capsys, "odd.vec.gz")
        assert "container  gzip (packed)" in lines
        assert "header     7 rows" in lines
        assert "rows       7" in lines
        assert [line for line in lines if line.startswith("irregular")] == [
            "irregular  1 empty tokens",
            "irregular  1 tokens of 98 bytes or more (word2vec.c cuts there)",
            "irregular  1 tokens that are not UTF-8",
            "irregular  1 tokens that come again (the first row counts)",
            "irregular  1 tokens with spaces inside",
            "irregular  1 tokens with white space other than ASCII, such as U+00A0 or U+0085",
        ]
        assert "the last row has no newline" in warnings

    def test_a_damaged_file_fails(self, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        Path("cut.txt").write_text(VECTORS + "half 1")
        assert main(["inspect", "cut.txt"]) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith("embprep: error: cut.txt: row 5, byte ")


class TestOddButRight:
    @pytest.mark.parametrize(
        "name", ["a b.tsv", "a#b.tsv", "a=b.tsv", "a[1].tsv", "영화.tsv", "a'\"$.tsv", "a%20.tsv"]
    )
    def test_names(self, name: str, here: Path) -> None:
        folder = Path(f"{name} folder")
        folder.mkdir()
        corpus, vectors, output = (str(folder / f"{part}{name}") for part in ("c", "v", "o"))
        Path(corpus).write_text(CORPUS)
        Path(vectors).write_text(VECTORS)
        manifest = build(f"--corpus=train={corpus}", f"--vectors={vectors}", f"--output={output}")
        assert manifest.inputs.corpus[0].uri == corpus
        assert manifest.inputs.vectors[0].uri == vectors
        assert manifest.coverage.matched == 3

    def test_relative_globs(self, here: Path) -> None:
        Path("corpus2.tsv").write_text(CORPUS)
        assert build("--corpus=train=*.tsv").examples.splits["train"].examples == 120

    def test_one_row_of_one_token_in_examples_of_one_id(self, here: Path) -> None:
        Path("one.tsv").write_text("text\tlabel\nfilm\tonly\n")
        manifest = build("--corpus=train=one.tsv", "--max_length=1", "--max_tokens=3")
        assert manifest.vocabulary.size == 3
        assert manifest.examples.splits["train"].examples == 1

    def test_more_vector_tokens_than_there_are(self, here: Path) -> None:
        manifest = build("--vector_tokens=1000000", "--max_tokens=1000000", "--matrix_shards=99")
        assert manifest.vocabulary.size == 2 + 4 + 1
        assert len(manifest.embeddings.shards) == 7

    def test_a_vocabulary_that_no_vector_serves(self, here: Path) -> None:
        Path("vectors.txt").write_text("elsewhere 1 2\n")
        for oov in ("zeros", "mean", "normal"):
            assert build(f"--oov={oov}").coverage.matched == 0

    def test_labels_with_line_breaks(self, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        rows = [{"text": f"film {i}", "label": ["so\nso", "bad\r\x1b[1m"][i % 2]} for i in range(9)]
        Path("corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        manifest = build("--corpus=train=corpus.jsonl")
        assert manifest.labels == ["bad\r\x1b[1m", "so\nso"]
        assert len(capsys.readouterr().out.splitlines()) == 9

    def test_splits_without_a_part_in_order(self, here: Path) -> None:
        manifest = build("--corpus=corpus.tsv", "--splits=train=1", "--shuffle_seed=none")
        assert list(manifest.examples.splits) == ["train"]

    def test_a_file_that_is_given_twice_is_told_of(
        self, here: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        manifest = build("--corpus=train=corpus.tsv", "--corpus=test=*.tsv")
        assert manifest.examples.splits["test"].examples == 60
        [line] = capsys.readouterr().err.splitlines()
        assert line == (
            "embprep: warning: --corpus: 1 files are given more than once, such as corpus.tsv; "
            "their rows count each time"
        )

    def test_files_that_are_left_out_of_a_folder_are_told_of(
        self, here: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for number in range(20):
            path = Path("films", ("pos", "neg")[number % 2], f"{number}.txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"film {number}")
        Path("films/README").write_text("about")
        manifest = build("--corpus=films", "--output=films/dataset", "--splits=train=1")
        assert manifest.labels == ["neg", "pos"]
        assert "films/README" in capsys.readouterr().err
        assert main(["build", "--corpus=films", "--vectors=vectors.txt", "--output=films/dataset"]
                    ) == 2  # fmt: skip
        assert "keep the dataset outside of the corpus" in capsys.readouterr().err

    def test_a_name_that_is_not_utf_8(self, here: Path) -> None:
        name = os.fsdecode(b"caf\xe9.tsv")
        Path(name).write_text(CORPUS)
        assert build(f"--corpus=train={name}").examples.splits["train"].examples == 60

    def test_a_folder_called_like_one_of_our_packages(self, here: Path) -> None:
        for package in ("transforms", "formats", "pipeline"):
            Path(package).mkdir()
            Path(package, "__init__.py").write_text("raise SystemExit('the wrong package')")
        script = Path(sys.executable).parent / "embprep"
        flags = ["--corpus=train=corpus.tsv", "--vectors=vectors.txt", "--output=out"]
        ended = subprocess.run(
            [str(script), "build", *flags, "--direct_running_mode=multi_processing"],
            capture_output=True,
            text=True,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        assert verify_dataset("out") == []
