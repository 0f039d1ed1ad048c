"""What can't be trained is refused in one line, before TensorFlow is imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.trainer.published import arguments, publish
from trainer.main import main


def refused(capsys, given, code=1):
    """Runs the trainer, expects one line on stderr, and returns it."""
    assert main(given) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def edit_manifest(data, edit):
    path = data / "manifest.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "given",
    [
        ["--no_such_flag", "1"],
        ["--model", "transformer"],
        ["--embedding", "thawed"],
        ["--epochs", "0"],
        ["--epochs", "many"],
        ["--batch_size", "-1"],
        ["--patience", "1.5"],
        ["--learning_rate", "0"],
        ["--learning_rate", "nan"],
        ["--seed", str(2**32)],
        ["--epo", "1"],
        ["stray"],
    ],
    ids=" ".join,
)
def test_wrong_flag_is_wrong_usage(binary, tmp_path, capsys, given):
    error = refused(capsys, [*arguments(binary, tmp_path), *given], code=2)
    assert given[0].lstrip("-") in error


def test_data_and_output_must_be_given(capsys):
    error = refused(capsys, [], code=2)
    assert "--data" in error
    assert "--output" in error


@pytest.mark.parametrize(
    "name",
    [
        "vocabulary.txt",
        "embeddings-00001-of-00003.npy",
        "train-00001-of-00002.tfrecord.gz",
        "test-00000-of-00002.tfrecord.gz",
    ],
)
def test_changed_file_is_refused_by_its_hash(copy_of_binary, tmp_path, capsys, name):
    path = copy_of_binary / "runs" / "r1" / name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    error = refused(capsys, arguments(copy_of_binary, tmp_path / "out"))
    assert name in error
    assert "sha256" in error


def test_missing_file_is_refused(copy_of_binary, tmp_path, capsys):
    (copy_of_binary / "runs" / "r1" / "vocabulary.txt").unlink()
    assert "vocabulary.txt: no such file" in refused(
        capsys, arguments(copy_of_binary, tmp_path / "out")
    )


def test_scratch_does_not_read_the_matrix(copy_of_binary, tmp_path):
    for shard in copy_of_binary.glob("runs/r1/embeddings-*"):
        shard.unlink()
    assert main(arguments(copy_of_binary, tmp_path / "out", embedding="scratch")) == 0


def test_folder_without_a_dataset_is_refused(tmp_path, capsys):
    error = refused(capsys, arguments(tmp_path, tmp_path / "out"))
    assert "manifest.json: no such file" in error
    assert not (tmp_path / "out").exists()


def test_examples_without_labels_are_refused(tmp_path, capsys):
    data = publish(tmp_path / "data", labelled=False)
    assert "no labels" in refused(capsys, arguments(data, tmp_path / "out"))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: m.update(labels=["only"]), "'only'"),
        (lambda m: m["examples"]["splits"].pop("train"), "train split"),
        (lambda m: m["embeddings"].update(rows=99), "99 rows"),
        (lambda m: m["embeddings"]["shards"].pop(1), "rows [0, 27]"),
        (lambda m: m["vocabulary"].update(path="../vocabulary.txt"), "vocabulary.path"),
        (lambda m: m.pop("examples"), "examples"),
    ],
    ids=["one label", "no train", "rows", "gap", "path", "key"],
)
def test_manifest_that_does_not_fit_is_refused(copy_of_binary, tmp_path, capsys, edit, message):
    edit_manifest(copy_of_binary, edit)
    assert message in refused(capsys, arguments(copy_of_binary, tmp_path / "out"))


def test_wrong_number_of_examples_is_refused(copy_of_binary, tmp_path, capsys):
    edit_manifest(copy_of_binary, lambda m: m["examples"]["splits"]["train"].update(examples=999))
    assert main(arguments(copy_of_binary, tmp_path / "out")) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"trainer: {copy_of_binary}: ")


def test_output_that_is_a_file_is_refused(binary, tmp_path, capsys):
    (tmp_path / "out").write_text("")
    assert "out" in refused(capsys, arguments(binary, tmp_path / "out"))


def test_output_elsewhere_is_wrong_usage(binary, capsys):
    assert "--output" in refused(capsys, arguments(binary, "gs://bucket/model"), code=2)


def test_traceback_is_shown_with_verbose_only(tmp_path, capsys):
    assert main([*arguments(tmp_path, tmp_path / "out"), "--verbose"]) == 1
    assert "Traceback" in capsys.readouterr().err


def python(*given):
    return subprocess.run([sys.executable, *given], capture_output=True, text=True, check=False)


def test_module_ends_with_the_exit_code(tmp_path):
    assert python("-m", "trainer", "--no_such_flag").returncode == 2
    refusal = python("-m", "trainer", *arguments(tmp_path, tmp_path / "out"))
    assert refusal.returncode == 1
    assert refusal.stderr.count("\n") == 1


def test_trainer_imports_no_beam_and_its_command_line_no_tensorflow():
    code = """if True:
        import importlib, pkgutil, sys
        import trainer, trainer.main
        assert "tensorflow" not in sys.modules
        for module in pkgutil.iter_modules(trainer.__path__, "trainer."):
            importlib.import_module(module.name)
        assert "tensorflow" in sys.modules
        assert "apache_beam" not in sys.modules
    """
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
