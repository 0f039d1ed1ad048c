from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.verify import verify, verify_dataset
from tests.pipeline.small_dataset import Parts, publish
from tests.pipeline.verified import KEPT, NPY, REJECTS, TABLE, TRAIN, VOCABULARY


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"padding": "pre", "compression": "none"},
        {"format": "parquet"},
        {"format": "parquet", "dtype": "float16"},
        {"format": "safetensors"},
        {"labels": None, "dtype": "float16"},
    ],
)
def test_a_whole_dataset_is_ok(
    parts: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path, Parts(**parts))
    assert verify_dataset(str(tmp_path)) == []
    assert verify(str(tmp_path)) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"OK {tmp_path}: run r1, 7 tokens, matrix 7 x 3 float")
    assert "examples train 5, test 1, validation 0; 11 files" in printed.out
    assert printed.err == ""


def test_problems_are_printed_one_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path)
    (tmp_path / VOCABULARY).unlink()
    (tmp_path / REJECTS).unlink()
    assert verify(str(tmp_path)) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    *problems, total = printed.err.splitlines()
    assert [line.split(": ")[:2] for line in problems] == [
        ["embprep", VOCABULARY],
        ["embprep", REJECTS],
    ]
    assert total == f"embprep: {tmp_path}: 2 problems"


def test_there_is_no_dataset(tmp_path: Path) -> None:
    [problem] = verify_dataset(str(tmp_path))
    assert problem.startswith("manifest.json: missing, or can't be read: ")


@pytest.mark.parametrize("path", [VOCABULARY, TABLE, NPY, TRAIN, REJECTS, KEPT])
def test_a_missing_file_is_reported_once(path: str, tmp_path: Path) -> None:
    publish(tmp_path)
    (tmp_path / path).unlink()
    [problem] = verify_dataset(str(tmp_path))
    assert problem.startswith(f"{path}: missing, or can't be read: ")


@pytest.mark.parametrize("parts", [{}, {"format": "parquet", "compression": "none"}])
def test_a_flipped_byte_anywhere_in_any_file_is_found(
    parts: dict[str, Any], tmp_path: Path
) -> None:
    publish(tmp_path, Parts(**parts))
    files = sorted(path for path in (tmp_path / "runs").rglob("*") if path.is_file())
    assert len(files) == 12
    for path in files:
        name = path.relative_to(tmp_path).as_posix()
        whole = path.read_bytes()
        for place in np.linspace(0, len(whole) - 1, 12).astype(int).tolist() if whole else []:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            problems = verify_dataset(str(tmp_path))
            change = "differs from" if name == KEPT else "sha256: expected"
            assert any(problem.startswith(f"{name}: {change}") for problem in problems)
        path.write_bytes(whole)
    assert verify_dataset(str(tmp_path)) == []


@pytest.mark.parametrize("path", [VOCABULARY, TABLE, NPY, TRAIN, REJECTS, KEPT])
def test_a_cut_file_is_found(path: str, tmp_path: Path) -> None:
    publish(tmp_path)
    (tmp_path / path).write_bytes((tmp_path / path).read_bytes()[:-1])
    assert any(problem.startswith(path) for problem in verify_dataset(str(tmp_path)))


def test_a_flipped_byte_of_the_manifest_is_found(tmp_path: Path) -> None:
    publish(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"created": "2024', b'"created": "2025'))
    assert verify_dataset(str(tmp_path)) == [f"{KEPT}: differs from manifest.json"]


def test_a_manifest_of_another_run_is_reported(tmp_path: Path) -> None:
    publish(tmp_path)
    kept = tmp_path / KEPT
    values = json.loads(kept.read_bytes())
    kept.write_text(json.dumps(values | {"created": "2023-01-01T00:00:00Z"}))
    assert verify_dataset(str(tmp_path)) == [f"{KEPT}: differs from manifest.json"]
