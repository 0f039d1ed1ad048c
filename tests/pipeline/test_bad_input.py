"""Bad input: one line that names the file and the place, and the dataset before is untouched."""

from __future__ import annotations

import gzip
import io
import os
import re
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.main import main
from pipeline.verify import verify_dataset

WORDS = [f"word{number}" for number in range(40)]
DIM = 4
VECTORS = np.linspace(-1, 1, len(WORDS) * DIM, dtype="<f4").reshape(-1, DIM)
ROWS = [
    f"{word} {' '.join(f'{number:.5f}' for number in row)}\n".encode()
    for word, row in zip(WORDS, VECTORS, strict=True)
]
TEXT = b"".join(ROWS)
BINARY_ROWS = [
    word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(WORDS, VECTORS, strict=True)
]
CORPUS = "text\tlabel\n" + "".join(
    f"{word} {WORDS[-number]}\t{'pos' if number % 3 else 'neg'}\n"
    for number, word in enumerate(WORDS)
)
WORKERS = "--direct_num_workers=2"
PROCESSES = "--direct_running_mode=multi_processing"
# A slow machine may log one before the job fails.
PROGRESS = re.compile(r" *[0-9]+\.[0-9] s  [A-Za-z]+: ")


def with_header(rows: list[bytes], count: int, dim: int = DIM) -> bytes:
    return f"{count} {dim}\n".encode() + b"".join(rows)


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, TEXT)
    return buffer.getvalue()


class Bench:
    """A published dataset, good inputs beside it, and a folder for the bad ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "dataset"
        self.corpus = folder / "corpus.tsv"
        self.corpus.write_text(CORPUS)
        self.vectors = folder / "vectors.txt"
        self.vectors.write_bytes(TEXT)

    def arguments(self, *flags: str) -> list[str]:
        """Good inputs, unless the flags name others."""
        given = {flag.partition("=")[0] for flag in flags}
        good = {
            "--corpus": self.corpus,
            "--vectors": self.vectors,
            "--output": self.output,
            # So that each row's word is wanted, whatever split the row is in.
            "--vocabulary_splits": "train,validation,test",
        }
        return ["build", *(f"{k}={v}" for k, v in good.items() if k not in given), *flags]

    def file(self, name: str, data: bytes | str) -> Path:
        path = self.folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def state(self) -> tuple[bytes, list[str]]:
        return (self.output / "manifest.json").read_bytes(), sorted(
            str(path.relative_to(self.output)) for path in self.output.rglob("*")
        )


@pytest.fixture(scope="module")
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


Refused = Callable[..., str]


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


# name, bytes, and what the line says behind the name of the file
DAMAGED = {
    "0 bytes": ("empty.txt", b"", "byte 0: expected a vector file, found 0 bytes"),
    "HTML": ("page.txt", b"<!DOCTYPE html>\n<p>Moved", "byte 0: .* an HTML page"),
    "HTML called zip": ("page.zip", b"<html></html>", "byte 0: .* an HTML page"),
    "text cut in a float": (
        "cut.txt",
        TEXT[: -len(ROWS[-1])] + ROWS[-1][:16],
        "row 40, byte 1[0-9]{3}: expected a token and 4 floats, found 2",
    ),
    "text cut in a token": (
        "cut.txt",
        TEXT[: -len(ROWS[-1])] + b"wor",
        "row 40, byte 1[0-9]{3}: expected a token and 4 floats, found 0",
    ),
    "text with a header that counts too many": (
        "count.txt",
        with_header(ROWS, 41),
        "row 41: expected 41 rows, as the header says, found 40",
    ),
    "text with a header that counts too few": (
        "count.txt",
        with_header(ROWS, 39),
        "row 40: expected 39 rows, as the header says, found 40",
    ),
    "text with a header of other dimensions": (
        "dim.txt",
        with_header(ROWS, 40, 3),
        "row 1, byte 5: expected a token and 3 floats, found 4",
    ),
    "a row that is too short": (
        "narrow.txt",
        b"".join([*ROWS[:20], b"odd 0.5 0.25\n", *ROWS[20:]]),
        "row 21, byte [0-9]+: expected a token and 4 floats, found 2",
    ),
    "a row that is too long": (
        "wide.txt",
        b"".join([*ROWS[:20], b"odd 0.1 0.2 0.3 0.4 0.5 0.6 0.7\n", *ROWS[20:]]),
        "row 21, byte [0-9]+: expected a token and 4 floats, found 7",
    ),
    "a row that is wanted and not finite": (
        "nan.txt",
        b"".join([*ROWS[:20], b"word20 nan 1 1 1\n", *ROWS[21:]]),
        "byte [0-9]+: expected finite floats, found b'nan 1 1 1'",
    ),
    "a row that is wanted and no number": (
        "word.txt",
        b"".join([*ROWS[:20], b"word20 1 1 one 1\n", *ROWS[21:]]),
        "byte [0-9]+: expected finite floats, found b'1 1 one 1'",
    ),
    "binary cut in a float": (
        "cut.bin",
        with_header(BINARY_ROWS, 40)[:-7],
        "record 40, byte [0-9]+: .* the end of the file after",
    ),
    "binary cut in a token": (
        "cut.bin",
        with_header([*BINARY_ROWS[:-1], b"wor"], 40),
        "record 40, byte [0-9]+: .* the end of the file after 3 bytes",
    ),
    "binary with a header that counts too many": (
        "count.bin",
        with_header(BINARY_ROWS, 41),
        "row 41: expected 41 rows, as the header says, found 40",
    ),
    "binary with a header that counts too few": (
        "count.bin",
        with_header(BINARY_ROWS, 39),
        "row 40: expected 39 rows, as the header says, found 40",
    ),
    "gzip cut": ("cut.gz", gzip.compress(TEXT)[:-9], "decompressed byte [0-9]+: "),
    "zip cut": ("cut.zip", zipped("a.txt")[:-30], "end of file: .* zip archive's central"),
    "a fastText model": (
        "model.bin",
        b"\xba\x16\x4f\x2f" + bytes(99),
        "byte 4: expected a fastText model of version 11 or 12",
    ),
    "a pickle": (
        "model.bin",
        b"\x80\x04K\x01.",
        "a Python pickle, as gensim's .* only with --allow_pickle",
    ),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_vector_file_is_named_with_the_place(
    damage: str, bench: Bench, refused: Refused
) -> None:
    name, data, said = DAMAGED[damage]
    path = bench.file(name, data)
    line = refused(1, f"--vectors={path}")
    assert line.startswith(f"{path}: ")
    assert re.match(said, line.removeprefix(f"{path}: ")), line


@pytest.mark.parametrize(
    ("damage", "flags"),
    [
        ("text cut in a float", ()),
        ("binary with a header that counts too many", ()),
        ("a row that is wanted and not finite", ("--shuffle_seed=none",)),
    ],
)
def test_the_error_of_a_worker_process_is_one_line_too(
    damage: str, flags: tuple[str, ...], bench: Bench, refused: Refused
) -> None:
    name, data, _ = DAMAGED[damage]
    path = bench.file(name, data)
    alone = refused(1, f"--vectors={path}", *flags)
    assert refused(1, f"--vectors={path}", *flags, WORKERS) == alone
    assert refused(1, f"--vectors={path}", *flags, WORKERS, PROCESSES) == alone


def test_a_gzip_that_is_cut_far_behind_its_head(bench: Bench, refused: Refused) -> None:
    rng = np.random.default_rng(0)
    rows = [f"w{i} {' '.join(map(str, row))}\n" for i, row in enumerate(rng.random((40000, DIM)))]
    packed = gzip.compress("".join(rows).encode(), 1)
    path = bench.file("long.gz", packed[: len(packed) * 3 // 4])
    line = refused(1, f"--vectors={path}")
    assert line.startswith(f"{path}: decompressed byte ")
    assert int(line.split("decompressed byte ")[1].partition(":")[0]) >= 1 << 20


class TestFilesThatFlagsName:
    def test_vectors_that_are_not_there(self, bench: Bench, refused: Refused) -> None:
        assert refused(2, "--vectors=nowhere.txt") == "--vectors nowhere.txt: no such file"

    def test_vectors_that_are_many_files(self, bench: Bench, refused: Refused) -> None:
        for spec in (f"{bench.folder}", f"{bench.folder}/*.t*"):
            assert refused(2, f"--vectors={spec}").startswith(f"--vectors {spec}: a directory or")

    def test_a_zip_of_several_files_lists_them(self, bench: Bench, refused: Refused) -> None:
        path = bench.file("many.zip", zipped("a.txt", "b.txt"))
        assert refused(2, f"--vectors={path}").endswith("the archive holds: a.txt, b.txt")
        line = refused(2, f"--vectors={path}#c.txt")
        assert line.endswith("#c.txt is not in it; the archive holds: a.txt, b.txt")

    def test_vectors_of_different_dimensions(self, bench: Bench, refused: Refused) -> None:
        path = bench.file("narrow.txt", "word1 0.5 0.25\nword2 1 2\n")
        line = refused(2, f"--vectors={bench.vectors}", f"--vectors={path}")
        assert f"{bench.vectors} has 4, {path} has 2" in line

    @pytest.mark.parametrize("spec", ["nowhere*.tsv", "train=nowhere.tsv", "trian=x", "", "train="])
    def test_a_corpus_that_matches_nothing(self, spec: str, refused: Refused) -> None:
        assert refused(2, f"--corpus={spec}").startswith(f"--corpus {spec}: no file matches")

    def test_a_column_that_is_missing(self, bench: Bench, refused: Refused) -> None:
        for flag in ("--text_column", "--label_column"):
            line = refused(2, f"{flag}=document")
            assert line.startswith(f"{bench.corpus}: no column is called 'document'; ")
            assert "'text', 'label'" in line
            assert flag in line

    def test_a_corpus_that_holds_the_dataset(self, bench: Bench, refused: Refused) -> None:
        line = refused(2, f"--corpus={bench.output}/runs/*/*.txt")
        assert "matches files of the dataset at --output" in line

    def test_a_scheme_that_nobody_knows(self, refused: Refused) -> None:
        for flag in ("--corpus", "--vectors", "--output", "--vocabulary", "--config"):
            line = refused(2, f"{flag}=foo://x/y")
            assert line.startswith("foo://x/y")
            assert "no file system for foo://" in line

    def test_a_file_that_the_system_does_not_let_us_read(
        self, bench: Bench, refused: Refused
    ) -> None:
        # Root may read everything but this, which can only be written.
        barred = "/proc/self/clear_refs"
        if not os.path.exists(barred):
            pytest.skip("no /proc here")
        for flag in ("--corpus", "--vectors", "--vocabulary"):
            assert "can't be read: [Errno " in refused(2, f"{flag}={barred}")

    def test_an_unknown_engine(self, refused: Refused) -> None:
        assert refused(2, "--runner=Nobody").startswith("--runner: ")
        assert refused(2, "--direct_num_workers=-1").startswith("--direct_num_workers -1: ")

    @pytest.mark.parametrize("spec", ["regex:[", "nowhere:function", "json:nothing", "porter"])
    def test_a_tokenizer_that_is_none(self, spec: str, refused: Refused) -> None:
        assert refused(2, f"--tokenizer={spec}").startswith(f"--tokenizer {spec}: ")

    def test_a_tokenizer_that_fails(self, refused: Refused) -> None:
        line = refused(1, "--tokenizer=json:loads")
        assert line.startswith("--tokenizer json:loads: ")
        assert "word" in line


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


class TestCorpora:
    @pytest.mark.parametrize("flags", [(), ("--max_reject_fraction=1",)])
    def test_one_whose_every_row_is_bad(
        self, flags: tuple[str, ...], bench: Bench, refused: Refused
    ) -> None:
        path = bench.file("bad.tsv", "text\tlabel\n" + "no label\n" * 30)
        line = refused(1, f"--corpus={path}", *flags)
        assert "30 of 30 rows are bad (wrong column count: 30)" in line
        assert f"the first is in {path} at byte 11 (wrong column count)" in line

    def test_one_with_more_bad_rows_than_may_be(self, bench: Bench, refused: Refused) -> None:
        path = bench.file("some.tsv", CORPUS + "\tpos\n")
        line = refused(1, f"--corpus={path}")
        assert "1 of 41 rows are bad (no text: 1)" in line
        assert f"in {path} at byte {len(CORPUS)} (no text)" in line

    @pytest.mark.parametrize("text", ["", "text\tlabel\n"])
    def test_one_without_rows(self, text: str, bench: Bench, refused: Refused) -> None:
        path = bench.file("empty.tsv", text)
        assert refused(1, f"--corpus={path}").startswith("corpus: its files hold no rows")

    def test_one_that_is_cut_in_its_gzip(self, bench: Bench, refused: Refused) -> None:
        rows = "".join(f"{i} {i * i} {i * i * i}\tpos\n" for i in range(60000))
        packed = gzip.compress(("text\tlabel\n" + rows).encode())
        path = bench.file("cut.tsv.gz", packed[: len(packed) // 2])
        assert refused(1, f"--corpus={path}").startswith(f"{path}: decompressed byte ")

    def test_one_with_a_quote_that_never_closes(self, bench: Bench, refused: Refused) -> None:
        path = bench.file("open.csv", 'text,label\nfine,pos\n"open,neg\nmore,pos\n')
        line = refused(1, f"--corpus={path}")
        assert line.startswith(f"{path}: byte 20: expected a quote that closes")

    def test_one_without_a_token_for_the_vocabulary(self, bench: Bench, refused: Refused) -> None:
        line = refused(1, f"--corpus=test={bench.corpus}", "--vocabulary_splits=train")
        assert line.startswith("the vocabulary is empty: ")

    def test_one_that_is_binary(self, bench: Bench, refused: Refused) -> None:
        path = bench.file("noise.txt", np.random.default_rng(1).bytes(5000))
        line = refused(1, f"--corpus={path}", "--corpus_format=text")
        assert "rows are bad (bad UTF-8: " in line


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", "line 1"),
        (b"word1\nword2\n", "line 1"),
        (b"[PAD]\r\n[UNK]\r\nword1\r\n", "line 1"),
        (b"[PAD]\n", "line 2"),
        (b"[PAD]\n[UNK]\nword1\nword1\n", "line 4"),
        (b"[PAD]\n[UNK]\nword1\n\nword2\n", "line 4"),
        (b"[PAD]\n[UNK]\nword\xff\n", "line 3, byte 1[0-9]"),
    ],
)
def test_a_damaged_vocabulary(data: bytes, place: str, bench: Bench, refused: Refused) -> None:
    path = bench.file("vocabulary.txt", data)
    line = refused(1, f"--vocabulary={path}")
    assert re.match(rf"{re.escape(str(path))}: {place}: expected ", line)


def test_real_files_that_are_no_vectors(shared_data: Path, refused: Refused) -> None:
    for name, said in (
        ("glove.6B.truncated-download.zip", "end of file: expected a zip archive's central"),
        ("lid.176.ftz", "a quantised fastText model (.ftz)"),
    ):
        path = shared_data / "vectors" / name
        assert refused(1, f"--vectors={path}").startswith(f"{path}: {said}")


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
            cwd=Path(__file__).parents[2],
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
