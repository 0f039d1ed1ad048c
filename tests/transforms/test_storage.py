"""Files by URI: found by name, folder or glob, created whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from formats.errors import UsageError
from transforms.object_store import StoredFile
from transforms.storage import (
    create_file,
    delete,
    delete_partial,
    exists,
    is_local,
    join,
    match_files,
    open_file,
    read_file,
)


def names(found: list[StoredFile], folder: Path) -> list[str]:
    return [os.path.relpath(file.uri, folder) for file in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.tsv", "a.tsv", "a.txt", "below/c.tsv", "below/deeper/d.tsv", ".hidden"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


class TestCreateFile:
    def test_a_file_is_there_whole_when_the_block_ends(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "folder" / "file"
        with create_file(str(path)) as file:
            file.write(b"one")
            file.write(memoryview(b"two"))
            assert not path.exists()
        assert path.read_bytes() == b"onetwo"
        assert file.size == 6
        assert file.sha256 == hashlib.sha256(b"onetwo").hexdigest()
        assert os.listdir(path.parent) == ["file"]

    @pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
    def test_a_block_that_fails_leaves_what_was_there(
        self, failure: type[BaseException], tmp_path: Path
    ) -> None:
        def fail(path: Path) -> None:
            with create_file(str(path)) as file:
                file.write(b"half")
                raise failure

        (tmp_path / "old").write_text("old")
        for name in ("old", "new"):
            with pytest.raises(failure):
                fail(tmp_path / name)
        assert os.listdir(tmp_path) == ["old"]
        assert (tmp_path / "old").read_text() == "old"

    @pytest.mark.parametrize("ends", [True, False])
    def test_another_attempt_that_comes_late_harms_nothing(
        self, ends: bool, tmp_path: Path
    ) -> None:
        path = tmp_path / "file"

        def attempt() -> None:
            with create_file(str(path)) as late:
                late.write(b"one")
                with create_file(str(path)) as file:
                    file.write(b"onetwo")
                assert path.read_bytes() == b"onetwo"
                if not ends:
                    raise ValueError
                late.write(b"two")

        with contextlib.nullcontext() if ends else pytest.raises(ValueError, match="^$"):
            attempt()
        assert path.read_bytes() == b"onetwo"
        assert os.listdir(tmp_path) == ["file"]

    def test_a_place_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        (tmp_path / "folder").mkdir()
        for place in ("file/below", "folder"):
            with pytest.raises(OSError), create_file(str(tmp_path / place)) as file:  # noqa: PT011
                file.write(b"x")
        assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


class TestMatchFiles:
    def test_a_name(self, folder: Path) -> None:
        assert match_files(str(folder / "a.tsv")) == [StoredFile(str(folder / "a.tsv"), 5)]

    def test_a_glob_is_sorted_and_stays_in_its_folder(self, folder: Path) -> None:
        assert names(match_files(f"{folder}/*.tsv"), folder) == ["a.tsv", "b.tsv"]

    def test_two_stars_go_below(self, folder: Path) -> None:
        found = names(match_files(f"{folder}/**.tsv"), folder)
        assert found == ["a.tsv", "b.tsv", "below/c.tsv", "below/deeper/d.tsv"]

    @pytest.mark.parametrize("end", ["", "/"])
    def test_a_folder_is_all_below_it(self, end: str, folder: Path) -> None:
        found = match_files(f"{folder / 'below'}{end}")
        assert names(found, folder) == ["below/c.tsv", "below/deeper/d.tsv"]

    def test_relative_names_and_globs(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        assert [file.uri for file in match_files("*.tsv")] == ["a.tsv", "b.tsv"]
        assert [file.uri for file in match_files("below/*.tsv")] == ["below/c.tsv"]
        assert [file.uri for file in match_files("be*/*.tsv")] == ["below/c.tsv"]
        assert [file.uri for file in match_files("a.tsv")] == ["a.tsv"]
        monkeypatch.chdir(folder / "below")
        assert [file.uri for file in match_files("../*.tsv")] == ["../a.tsv", "../b.tsv"]

    @pytest.mark.parametrize("name", ["a[1].tsv", "what?.tsv", "st*r.tsv", "a b#c=d.tsv", "é.tsv"])
    def test_a_file_comes_before_what_its_name_means_as_a_glob(
        self, name: str, folder: Path
    ) -> None:
        (folder / name).write_text("x")
        assert match_files(str(folder / name)) == [StoredFile(str(folder / name), 1)]
        (folder / "d[1]").mkdir()
        (folder / "d[1]" / name).write_text("y")
        assert names(match_files(str(folder / "d[1]")), folder) == [f"d[1]/{name}"]

    @pytest.mark.parametrize("name", ["missing", "missing/*", "*.csv", "a.tsv/x", "empty", ""])
    def test_nothing(self, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "empty").mkdir()
        monkeypatch.chdir(folder)
        assert match_files(name) == []

    def test_links_that_lead_nowhere_are_left_out(self, folder: Path) -> None:
        (folder / "below" / "dangling").symlink_to(folder / "gone")
        assert names(match_files(str(folder / "below")), folder)[0] == "below/c.tsv"


@pytest.mark.parametrize("use", [match_files, exists, open_file, read_file])
def test_a_scheme_without_a_file_system_is_wrong_usage(use: object) -> None:
    assert callable(use)
    with pytest.raises(UsageError, match=r"^foo://x/y: .* no file system for foo://"):
        use("foo://x/y")


def test_delete_takes_no_glob(folder: Path) -> None:
    for name in ("*", "a.*", "missing"):
        delete(str(folder / name))
    assert (folder / "a.tsv").exists()
    delete(str(folder / "a.tsv"))
    delete(str(folder / "below"))
    assert sorted(os.listdir(folder)) == [".hidden", "a.txt", "b.tsv"]


def test_join_and_is_local() -> None:
    assert join("out", "runs", "r") == "out/runs/r"
    assert join("out/", "x") == "out/x"
    assert join("gs://bucket/out/", "x") == "gs://bucket/out/x"
    assert is_local("a/b")
    assert is_local("a:b")
    assert not is_local("gs://bucket/out")


def test_what_a_killed_writer_left_is_deleted_and_nothing_else(folder: Path) -> None:
    half_written = (
        "import os, sys; from transforms.storage import create_file\n"
        "writer = create_file(sys.argv[1]); writer.__enter__().write(b'half'); os._exit(0)"
    )
    below = folder / "below"
    command = [sys.executable, "-c", half_written, str(below / "c.tsv")]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
    with create_file(str(below / "c.tsv")) as file:
        file.write(b"whole")
        assert len(list(below.glob("c.tsv.*.partial"))) == 2
        delete_partial(str(below))
        # That of a process which is at work stays.
        assert len(list(below.glob("c.tsv.*.partial"))) == 1
    assert sorted(os.listdir(below)) == ["c.tsv", "deeper"]
    assert (below / "c.tsv").read_text() == "whole"
