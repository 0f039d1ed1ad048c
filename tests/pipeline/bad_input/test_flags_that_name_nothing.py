"""Flags that name files, columns, engines or tokenizers that can't be used."""

from __future__ import annotations

import os

import pytest

from tests.pipeline.bad_input.bench import Bench, Refused
from tests.pipeline.bad_input.damaged_vectors import zipped


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
