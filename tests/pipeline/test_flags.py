"""The flags of ``embprep build``: the table of the design, the TOML file, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from apache_beam.options.pipeline_options import DirectOptions, StandardOptions

from formats.errors import UsageError
from pipeline.config import BuildConfig
from pipeline.flags import parse_build_flags

NEEDED = ["--corpus=c.tsv", "--vectors=v.txt", "--output=out"]

# A flag as it is given, and what it becomes.
FLAGS: list[tuple[str, str, Any]] = [
    ("corpus_format", "jsonl", "jsonl"),
    ("text_column", "document", "document"),
    ("label_column", "", ""),
    ("splits", "train=0.5,test=0.5", {"train": 0.5, "test": 0.5}),
    ("tokenizer", "regex:[a-z]+", "regex:[a-z]+"),
    ("max_tokens", "3", 3),
    ("min_count", "5", 5),
    ("vocabulary", "vocabulary.txt", "vocabulary.txt"),
    ("vocabulary_splits", "test,train", ["train", "test"]),
    ("vector_tokens", "1000", 1000),
    ("combine", "first", "first"),
    ("fallback", "exact", ["exact"]),
    ("oov", "normal", ["normal"]),
    ("oov", "subword", ["subword"]),
    ("oov_seed", "7", 7),
    ("combine", "concat", "concat"),
    ("unicode_errors", "replace", "replace"),
    ("dtype", "float16", "float16"),
    ("matrix_shards", "4", 4),
    ("matrix_format", "parquet", "parquet"),
    ("matrix_format", "safetensors", "safetensors"),
    ("max_length", "1", 1),
    ("padding", "pre", "pre"),
    ("truncating", "pre", "pre"),
    ("example_shards", "8", 8),
    ("compression", "none", "none"),
    ("shuffle_seed", "-7", -7),
    ("shuffle_seed", "none", None),
    ("max_reject_fraction", "0.5", (0.5, 0.0)),
    ("max_reject_fraction", "0,1", (0.0, 1.0)),
    ("run_id", "nightly-2024.01_1", "nightly-2024.01_1"),
]


def parse(*flags: str) -> BuildConfig:
    return parse_build_flags([*NEEDED, *flags])[0]


def refusal(*flags: str) -> str:
    with pytest.raises(UsageError) as refused:
        parse(*flags)
    return str(refused.value)


def test_defaults_are_those_of_the_design() -> None:
    config = parse()
    assert config == BuildConfig(
        corpus=["c.tsv"],
        vectors=["v.txt"],
        output="out",
        corpus_format="auto",
        text_column=None,
        label_column=None,
        splits={"train": 0.8, "validation": 0.1, "test": 0.1},
        tokenizer="basic",
        max_tokens=None,
        min_count=1,
        vocabulary=None,
        vocabulary_splits=["train"],
        vector_tokens=0,
        combine="first",
        fallback=["exact"],
        oov=["zeros"],
        dtype="float32",
        matrix_shards=None,
        matrix_format="npy",
        max_length=100,
        padding="post",
        truncating="post",
        example_shards=None,
        compression="gzip",
        shuffle_seed=0,
        max_reject_fraction=(0.01, 0.0),
        run_id=None,
    )


@pytest.mark.parametrize(("name", "text", "value"), FLAGS)
def test_each_flag_on_the_line(name: str, text: str, value: Any) -> None:
    assert getattr(parse(f"--{name}={text}"), name) == value
    if text and not text.startswith("-"):
        assert getattr(parse(f"--{name}", text), name) == value


@pytest.mark.parametrize(("name", "text", "value"), FLAGS)
def test_each_flag_in_the_file(name: str, text: str, value: Any, tmp_path: Path) -> None:
    file = tmp_path / "build.toml"
    file.write_text(f'{name} = "{text}"\n')
    assert getattr(parse(f"--config={file}"), name) == value


def test_corpus_and_vectors_can_be_repeated() -> None:
    config = parse("--corpus=test=t.tsv", "--vectors", "w.zip#w.txt")
    assert config.corpus == ["c.tsv", "test=t.tsv"]
    assert config.vectors == ["v.txt", "w.zip#w.txt"]


@pytest.mark.parametrize("name", ["corpus", "vectors", "output"])
def test_what_must_be_given(name: str) -> None:
    given = [flag for flag in NEEDED if not flag.startswith(f"--{name}=")]
    with pytest.raises(UsageError, match=f"^--{name} is missing"):
        parse_build_flags(given)
    with pytest.raises(UsageError, match=f"^--{name} is missing"):
        parse_build_flags([*given, f"--{name}="] if name == "output" else given)


@pytest.mark.parametrize(
    ("flag", "hint"),
    [
        ("--max_tokns=5", "did you mean --max_tokens?"),
        ("--ouput=x", "did you mean --output?"),
        ("--direct_num_worker=2", "did you mean --direct_num_workers?"),
        ("--zzzzzz", "see embprep build --help"),
        ("-x", "see embprep build --help"),
    ],
)
def test_an_unknown_flag_is_refused_with_a_hint(flag: str, hint: str) -> None:
    assert refusal(flag) == f"unknown flag {flag.partition('=')[0]}; {hint}"


def test_what_is_no_flag_is_refused() -> None:
    assert refusal("more").startswith("unknown argument more;")


@pytest.mark.parametrize("flag", ["--max_tok=5", "--max=5", "--pad=pre", "--vec=w.txt"])
def test_abbreviations_are_refused(flag: str) -> None:
    assert refusal(flag).startswith(f"unknown flag {flag.partition('=')[0]};")


def test_side_by_side_each_vector_file_can_have_a_policy_of_its_own() -> None:
    arguments = ["--corpus=c", "--vectors=a", "--vectors=b", "--output=o", "--oov=zeros,mean"]
    config, _ = parse_build_flags([*arguments, "--combine=concat"])
    assert config.oov == ["zeros", "mean"]
    with pytest.raises(UsageError, match="--oov names 2 policies; give one, or with --combine"):
        parse_build_flags(arguments)


@pytest.mark.parametrize(
    "flag",
    [
        "--corpus_format=xml",
        "--splits=train=0.5",
        "--splits=train=0.5,dev=0.5",
        "--splits=train=x",
        "--splits=train=-1,test=2",
        "--max_tokens=2",
        "--max_tokens=many",
        "--max_tokens=١٢",
        "--min_count=0",
        "--vocabulary_splits=train,dev",
        "--vocabulary_splits=",
        "--vector_tokens=-1",
        "--combine=last",
        "--fallback=stem",
        "--fallback=",
        "--oov=ones",
        "--dtype=float64",
        "--matrix_shards=0",
        "--matrix_format=csv",
        "--max_length=0",
        "--max_length=1.5",
        "--max_length",
        "--padding=left",
        "--truncating=left",
        "--example_shards=0",
        "--compression=zip",
        "--shuffle_seed=first",
        "--max_reject_fraction=2",
        "--max_reject_fraction=nan",
        "--max_reject_fraction=0.1,0.1,0.1",
        "--run_id=../x",
        "--run_id=..",
        "--run_id=a/b",
        "--run_id=",
        "--direct_num_workers=two",
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_flag(flag: str) -> None:
    message = refusal(flag)
    assert message.startswith(f"argument {flag.partition('=')[0]}: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    "flags",
    [
        ["--vocabulary=v.txt", "--max_tokens=9"],
        ["--vocabulary=v.txt", "--min_count=2"],
        ["--vocabulary=v.txt", "--vector_tokens=1"],
        ["--shuffle_seed=none", "--example_shards=2"],
        ["--text_column=label"],
        ["--text_column=0", "--label_column=0"],
    ],
)
def test_flags_that_contradict_each_other_are_refused(flags: list[str]) -> None:
    assert flags[-1].partition("=")[0] in refusal(*flags)


def test_the_columns_may_change_places() -> None:
    config = parse("--text_column=label", "--label_column=text")
    assert (config.text_column, config.label_column) == ("label", "text")


def test_flags_of_beam_are_let_through() -> None:
    flags = ["--runner=FlinkRunner", "--direct_num_workers", "2"]
    _, options = parse_build_flags([*NEEDED, *flags])
    assert options.view_as(StandardOptions).runner == "FlinkRunner"
    assert options.view_as(DirectOptions).direct_num_workers == 2


def test_all_views_of_the_options_have_the_same_values() -> None:
    _, options = parse_build_flags([*NEEDED, "--direct_num_workers=2"])
    view = options.view_as(DirectOptions)
    view.direct_num_workers = 3
    assert options.view_as(DirectOptions) is view
    assert view.view_as(DirectOptions).direct_num_workers == 3
    assert options.view_as(StandardOptions).view_as(DirectOptions).direct_num_workers == 3
    assert options.get_all_options()["direct_num_workers"] == 3


class TestTheFile:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "build.toml"

    def test_it_can_hold_everything(self, file: Path) -> None:
        file.write_text(
            """
            corpus = ["train=a.tsv", "test=b.tsv"]
            vectors = "v.zip#v.txt"
            output = "out"
            splits = {train = 0.9, test = 0.1}
            vocabulary_splits = ["train", "test"]
            max_reject_fraction = [0.5, 0.25]
            fallback = ["exact"]
            max_length = 7
            shuffle_seed = "none"
            direct_num_workers = 2
            save_main_session = false
            """
        )
        config, options = parse_build_flags(["--config", str(file)])
        assert config == BuildConfig(
            corpus=["train=a.tsv", "test=b.tsv"],
            vectors=["v.zip#v.txt"],
            output="out",
            splits={"train": 0.9, "test": 0.1},
            vocabulary_splits=["train", "test"],
            max_reject_fraction=(0.5, 0.25),
            max_length=7,
            shuffle_seed=None,
        )
        assert options.view_as(DirectOptions).direct_num_workers == 2

    def test_the_command_line_wins(self, file: Path) -> None:
        file.write_text('max_length = 7\ncorpus = ["x.tsv", "y.tsv"]\nmin_count = 3\n')
        for given in (["--max_length=9"], ["--max_length", "9"]):
            config = parse(f"--config={file}", *given)
            assert (config.max_length, config.corpus, config.min_count) == (9, ["c.tsv"], 3)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("max_lenght = 7", "unknown flag max_lenght; did you mean --max_length?"),
            ("unheard_of = false", "unknown flag unheard_of"),
            ('"a b" = 1', "unknown flag a b"),
            ("[build]\nmax_length = 7", "build is a table; flags stand at the top"),
            ("max_length = {a = 1}", "max_length is a table"),
            ("max_length = [1, 2]", "max_length: one value is wanted, not a list"),
            ("max_length = []", "max_length: one value is wanted, not a list"),
            ('config = "other.toml"', "config: give --config on the command line"),
            ("help = true", "help: give --help on the command line"),
            ("verbose = true", "verbose: give --verbose on the command line"),
            ("max_length = ", "can't be read as TOML"),
            ("max_length = 1\nmax_length = 2", "can't be read as TOML"),
        ],
    )
    def test_what_it_gets_wrong_is_said_with_its_name(
        self, text: str, said: str, file: Path
    ) -> None:
        file.write_text(text)
        assert refusal(f"--config={file}").startswith(f"--config {file}: {said}")

    @pytest.mark.parametrize("value", ['"x"', "1.5", "true", "2020-01-01"])
    def test_its_values_are_checked_as_those_of_the_line(self, value: str, file: Path) -> None:
        file.write_text(f"max_length = {value}")
        assert refusal(f"--config={file}").startswith("argument --max_length: ")

    def test_one_that_cannot_be_read_is_refused(self, file: Path, tmp_path: Path) -> None:
        assert refusal(f"--config={file}").startswith(f"--config {file}: can't be read")
        assert refusal(f"--config={tmp_path}").startswith(f"--config {tmp_path}: can't be read")
        file.write_bytes(b"corpus = '\xff'")
        assert refusal(f"--config={file}").startswith(f"--config {file}: can't be read")
