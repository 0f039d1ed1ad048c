from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import benchmarks.__main__ as command
from benchmarks.cases import CASES, Case, NotRunError, Setting, Side, make_case
from benchmarks.checks import MismatchError
from benchmarks.measure import ProgramError
from benchmarks.results import measured_entry, merge, read_results, reason_entry, write_results
from benchmarks.rounds import Measurement, Runs, measure
from benchmarks.tables import FAILED, NOT_RUN, make_markdown, speed_table

ENVIRONMENT = {
    "machine": {"cpu": "A CPU", "cores": 2, "memory_bytes": 8 * 10**9, "system": "Linux"},
    "versions": {"python": "3.11.1", "numpy": "2.1.0"},
    "date": "2024-05-01",
}


def passes() -> None:
    pass


def a_case(folder: Path, program: str = "", check: Callable[[], None] = passes, **other) -> Case:
    source = folder / "input"
    source.write_bytes(b"x" * 6_000_000)
    sides = (
        Side(name, [sys.executable, "-c", program], folder / name) for name in ("ours", "peer")
    )
    return Case("a title", *sides, target=4, inputs=[source], check=check, **other)


MADE_UP = Measurement(
    Runs([2.0, 1.0, 3.0], [100_000_000, 90_000_000, 80_000_000]),
    Runs([6.0, 5.0, 12.0], [3 * 10**8, 4 * 10**8, 10**8]),
)


def cells(table: str, case: str) -> list[str]:
    [line] = [line for line in table.splitlines() if line.startswith(f"| {case} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_ratio_is_the_median_of_the_rounds_and_memory_the_most_of_each_side() -> None:
    # 3, 5 and 4 times as long; of the medians, 6 and 2, it would be 3.
    assert MADE_UP.ratio == 4
    assert MADE_UP.memory_ratio == 4


def test_a_row_tells_medians_spread_ratio_and_whether_the_target_is_met(tmp_path: Path) -> None:
    case = a_case(tmp_path, memory_target=6)
    entry = measured_entry(case, MADE_UP, 1.0, ENVIRONMENT)
    assert (entry["met"], entry["memory_met"]) == (True, False)
    page = make_markdown({"join-text": entry})
    speed, memory = page.split("## Memory and throughput")
    assert cells(speed, "join-text") == [
        "join-text", "2.00 (1.00-3.00)", "6.00 (5.00-12.00)", "4.00", "4", "yes",
    ]  # fmt: skip
    assert cells(memory, "join-text") == [
        "join-text", "100", "400", "4.00", "6", "no", "3.0", "1.0",
    ]  # fmt: skip
    assert "A CPU, 2 cores, 8 GB, Linux; python 3.11.1, numpy 2.1.0; 2024-05-01" in page


def test_nothing_is_said_of_targets_at_another_size(tmp_path: Path) -> None:
    entry = measured_entry(a_case(tmp_path, memory_target=4), MADE_UP, 0.5, ENVIRONMENT)
    assert entry["met"] is None
    assert entry["memory_met"] is None
    assert cells(speed_table({"join-text": entry}), "join-text")[-1] == "sizes x 0.5"


def test_memory_that_is_not_known_is_said_to_be(tmp_path: Path) -> None:
    unknown = Measurement(Runs([1.0, 1.0], [None, 5]), Runs([5.0, 5.0], [None, 5]))
    entry = measured_entry(a_case(tmp_path, memory_target=4), unknown, 1.0, ENVIRONMENT)
    assert entry["memory_met"] is None
    _, memory = make_markdown({"join-text": entry}).split("## Memory and throughput")
    assert cells(memory, "join-text")[1:6] == ["not measured", "not measured", "", "4", ""]


def test_a_case_without_a_peer_is_held_against_seconds(tmp_path: Path) -> None:
    case = a_case(tmp_path)
    alone = Case(case.title, case.ours, None, 1.5, case.inputs, passes)
    runs = Measurement(Runs([2.0, 1.0, 3.0], [None] * 3), parts={"imports": [1.0, 0.5, 0.75]})
    entry = measured_entry(alone, runs, 1.0, ENVIRONMENT)
    page = make_markdown({"fixed-cost": entry})
    row = page.split("## Memory")[0]
    assert cells(row, "fixed-cost")[1:] == ["2.00 (1.00-3.00)", "", "", "under 1.5 s", "no"]
    assert cells(page, "imports") == ["imports", "0.75"]


def test_results_of_some_cases_leave_the_others(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    entry = measured_entry(a_case(tmp_path), MADE_UP, 1.0, ENVIRONMENT)
    write_results(path, {"examples": entry, "join-text": entry})
    failed = reason_entry(FAILED, "rows differ", ENVIRONMENT)
    results = merge(read_results(path), "examples", failed)
    write_results(path, results)
    assert read_results(path) == {"join-text": entry, "examples": failed}
    assert list(json.loads(path.read_text())["cases"]) == ["join-text", "examples"]
    page = path.with_suffix(".md").read_text()
    assert cells(page, "examples")[-1] == "failed: rows differ"


def test_a_case_that_was_not_run_never_looks_passed_nor_hides_a_measurement(
    tmp_path: Path,
) -> None:
    not_run = reason_entry(NOT_RUN, "needs something", ENVIRONMENT)
    entry = measured_entry(a_case(tmp_path), MADE_UP, 1.0, ENVIRONMENT)
    assert merge({}, "corpus-tft", not_run) == {"corpus-tft": not_run}
    assert merge({"corpus-tft": entry}, "corpus-tft", not_run) == {"corpus-tft": entry}
    row = cells(speed_table({"corpus-tft": not_run}), "corpus-tft")
    assert row == ["corpus-tft", "", "", "", "", "not run: needs something"]
    with pytest.raises(NotRunError, match="--tft_python"):
        make_case("corpus-tft", Setting(tmp_path))


def test_the_sides_alternate_and_the_warm_ups_do_not_count(tmp_path: Path) -> None:
    program = f"open({str(tmp_path / 'log')!r}, 'a').write(NAME); print('{{\"seconds\": 7}}')"
    case = a_case(tmp_path, kernel=True)
    sides = (
        Side(name, [sys.executable, "-c", program.replace("NAME", repr(name))], tmp_path / name)
        for name in "AB"
    )
    case = Case("t", *sides, target=1, inputs=case.inputs, check=passes, kernel=True)
    measurement = measure(case, rounds=2, warmups=1)
    assert (tmp_path / "log").read_text() == "ABABAB"
    assert measurement.ours.seconds == measurement.peer.seconds == [7, 7]


def test_each_run_finds_its_folder_empty(tmp_path: Path) -> None:
    program = "import os; os.mkdir({!r})"
    case = a_case(tmp_path)
    made = [str(tmp_path / name / "made") for name in ("ours", "peer")]
    sides = (
        Side("s", [sys.executable, "-c", program.format(path)], Path(path).parent) for path in made
    )
    measure(Case("t", *sides, target=1, inputs=case.inputs, check=passes), rounds=2, warmups=0)


def test_a_mismatch_and_a_crash_fail_the_run(tmp_path: Path, monkeypatch, capsys) -> None:
    def differs() -> None:
        raise MismatchError("rows differ")

    cases = {
        "join-text": lambda setting, name: a_case(tmp_path, check=differs),
        "join-all": lambda setting, name: a_case(tmp_path, "raise SystemExit(5)"),
        "examples": lambda setting, name: a_case(tmp_path),
    }
    monkeypatch.setattr("benchmarks.cases.CASES", CASES | cases)
    flags = ["--quick", f"--results={tmp_path}", f"--data={tmp_path}", "--cases"]
    assert command.main([*flags, "examples"]) == 0
    assert command.main([*flags, "join-text,examples"]) == 1
    assert "failed: rows differ" in capsys.readouterr().out
    assert read_results(tmp_path / "results.json")["join-text"]["state"] == FAILED
    assert command.main([*flags, "join-all"]) == 1
    with pytest.raises(ProgramError):
        measure(make_case("join-all", Setting(tmp_path)), 1, 0)


def test_a_kernel_that_does_not_tell_its_seconds_fails(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="no seconds"):
        measure(a_case(tmp_path, "print('done')", kernel=True), 1, 0)


def test_a_case_that_does_not_exist_is_refused(capsys) -> None:
    with pytest.raises(SystemExit):
        command.main(["--cases", "join-txt"])
    assert "join-txt is no case" in capsys.readouterr().err


def test_every_case_is_quick_but_for_that_of_another_environment() -> None:
    quick = command._parse(["--quick"])
    assert set(CASES) - set(quick.cases) == {"corpus-tft"}
    assert (quick.rounds, quick.warmups) == (1, 0)
    assert quick.results != command._parse([]).results


@pytest.mark.parametrize("name", sorted(set(CASES) - {"corpus-tft", "trainer-input"}))
def test_the_programs_of_a_case_are_there(name: str, tmp_path: Path, repository: Path) -> None:
    case = make_case(name, Setting(tmp_path, scale=1e-6))
    for side in filter(None, (case.ours, case.peer, case.parts)):
        module = side.command[side.command.index("-m") + 1].replace(".", "/")
        assert (repository / f"{module}.py").exists() or (repository / module).is_dir()
        assert side.output.is_relative_to(tmp_path)


def test_kernel_and_tutorial_join_the_same(tmp_path: Path) -> None:
    case = make_case("join-text-kernel", Setting(tmp_path, scale=1e-6))
    measurement = measure(case, rounds=1, warmups=0)
    assert measurement.ours.seconds[0] < 2
    case.check()


def test_the_parts_of_a_small_build_add_up(tmp_path: Path) -> None:
    measurement = measure(make_case("fixed-cost", Setting(tmp_path)), rounds=1, warmups=0)
    assert list(measurement.parts) == [
        "interpreter", "imports", "planning", "construction", "engine run", "rest",
    ]  # fmt: skip
    assert all(seconds[0] > 0 for seconds in measurement.parts.values())
    assert measurement.parts["rest"][0] < 1
