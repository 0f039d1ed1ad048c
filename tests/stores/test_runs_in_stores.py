"""The rules of runs where files are objects of a store: no folders, no moves, no locks."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from tests.pipeline.small_corpus import Corpus
from tests.stores import sample
from tests.stores.stored import S3
from tests.stores.stored_gcs import Gcs


class Tried(NamedTuple):
    """What ``try_runs`` found, and what passed between it and the server meanwhile.

    Attributes:
        found: by what was tried.
        history: which objects were put there or deleted, in order.
    """

    found: dict[str, Any]
    history: list[tuple[str, str]]

    def history_of(self, tried: str) -> list[tuple[str, str]]:
        """Of the objects of one try, by their names behind its URI."""
        own = f"runs/{tried}/"
        return [(verb, key.removeprefix(own)) for verb, key in self.history if key.startswith(own)]


@pytest.fixture(scope="module")
def tried(store: S3 | Gcs, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    corpus = Corpus(tmp_path_factory.mktemp("corpus"))
    before = len(store.proxy.requests)
    done = sample.run(
        "tests.stores.try_runs", store.uri("runs"), str(corpus.train), str(corpus.vectors),
        env=store.env,
    )  # fmt: skip
    return Tried(json.loads(done.stdout), store.history(store.proxy.requests[before:]))


def of_run(run_id: str) -> set[str]:
    return {f"{run_id}.in-progress", f"runs/{run_id}/vocabulary.txt"}


def test_what_was_killed_is_cleared_and_what_may_be_at_work_is_not(tried: Tried) -> None:
    found = tried.found["clearing"]
    kept = {*of_run("elsewhere"), *of_run("here"), "runs/mine/notes"}
    assert {*found["before"]} == kept | of_run("killed")
    assert {*found["within"]} == kept | {"killed.in-progress", "own.in-progress"}
    assert {*found["after"]} == kept


def test_a_run_that_fails_leaves_nothing(tried: Tried) -> None:
    found = tried.found["failing"]
    assert {*found["within"]} == of_run("own")
    assert found["after"] == []


@pytest.mark.parametrize("how", ["clearing", "failing", "one_name"])
def test_the_marker_of_a_run_is_put_first_and_deleted_last(how: str, tried: Tried) -> None:
    own = [change for change in tried.history_of(how) if "own" in change[1]]
    assert len(own) >= 4
    assert own[0] == ("put", "own.in-progress")
    assert own[-1] == ("delete", "own.in-progress")


def test_no_two_have_one_name_at_a_time(tried: Tried) -> None:
    found = tried.found["one_name"]
    assert found["said"].startswith("--run_id own: a build of this name may be at work on ")
    assert {*found["after"]} == {*found["before"]} == of_run("own")


def test_of_two_that_make_a_file_in_one_moment_one_does(tried: Tried) -> None:
    found = tried.found["one_moment"]
    assert found == {"made": [True, False], "files": {"file": "one"}}


def test_an_attempt_that_fails_late_puts_nothing_in_the_place_of_another(tried: Tried) -> None:
    assert tried.found["late"] == {"file": "whole"}
    assert tried.history_of("late") == [("put", "file")]


def test_what_killed_commands_had_written_of_a_file_is_deleted_by_the_next(tried: Tried) -> None:
    assert tried.found["output_file"] == ["it", "elsewhere", "here", "another"]


def test_a_build_of_which_every_bundle_is_repeated(tried: Tried) -> None:
    found = tried.found["repeated_bundles"]
    assert found["problems"] == []
    once, again = found["by run"]["once"], found["by run"]["again"]
    assert len(once) >= 5
    assert once == again
    assert found["others"] == ["manifest.json"]


def test_the_manifest_is_put_last(tried: Tried) -> None:
    history = tried.history_of("repeated_bundles")
    written = [key for verb, key in history if verb == "put"]
    assert written[-2:] == ["runs/again/manifest.json", "manifest.json"]
    # What is written again and again comes before it too.
    assert len(written) > len(set(written))
