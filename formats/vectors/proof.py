"""Proof that the ranges of a vector file, read apart, add up to the whole file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from formats.errors import DataError, damaged
from formats.vectors.columnar import ColumnarLayout
from formats.vectors.layout import BINARY, TEXT, Layout
from formats.vectors.records import RangeReport

# glove.c (GLOVE -write-header 1) counts the words before it appends the row of this token.
GLOVE_UNKNOWN = b"<unk>"


class Verdict(NamedTuple):
    """What the reports of one file come to.

    Attributes:
        rows: rows of the file.
        warnings: irregularities that were read around.
        problem: the damage that the reports show; None if the file is whole.
    """

    rows: int
    warnings: list[str]
    problem: DataError | None


def judge(
    reports: Sequence[RangeReport],
    layout: Layout | ColumnarLayout,
    size: int | None,
    name: str,
) -> Verdict:
    """Adds up the reports of one reading of one file.

    Args:
        reports: one for each range, in any order.
        layout: the file's layout.
        size: bytes of the file where it was read in ranges, else None.
        name: what messages call the file.
    """
    reports = sorted(reports, key=lambda report: report.start)
    rows = sum(report.rows for report in reports)
    warnings: list[str] = []
    problem = _broken_chain(reports, size, name) if layout.kind == BINARY else None
    last = next((report for report in reversed(reports) if report.rows), None)
    if problem is None and layout.rows not in (-1, rows):
        if (
            layout.kind == TEXT
            and rows == layout.rows + 1
            and last is not None
            and last.last_token == GLOVE_UNKNOWN
        ):
            warnings.append(
                f"{name}: the header counts {layout.rows} rows but {rows} are there; the last is "
                "<unk>, which glove.c appends without counting it: all were read"
            )
        else:
            problem = damaged(
                name,
                f"row {min(rows, layout.rows) + 1}",
                expected=f"{layout.rows} rows, as the header says",
                found=f"{rows}",
                remedy="the file was cut off or its header is wrong: get it again or mend it",
            )
    if problem is None and last is not None and not last.ends_with_newline:
        warnings.append(
            f"{name}: the last row has no newline at its end; it was read as it stands, but the "
            "file may have been cut there"
        )
    return Verdict(rows, warnings, problem)


def _broken_chain(reports: Sequence[RangeReport], size: int | None, name: str) -> DataError | None:
    for report, following in zip(reports, reports[1:], strict=False):
        if report.problem or report.next != following.first:
            found = report.problem or f"one that starts at byte {following.first}"
            return _chain_error(name, report, f"a record at byte {report.next}", found)
    last = reports[-1]
    if last.problem:
        return _chain_error(name, last, "records", last.problem)
    if size is not None and last.next != size:
        return _chain_error(name, last, "the end of the file", f"a record at byte {last.next}")
    return None


def _chain_error(name: str, report: RangeReport, expected: str, found: str) -> DataError:
    return damaged(
        name,
        f"the range from byte {report.start}",
        expected=expected,
        found=found,
        remedy="the file is damaged: get it again",
    )
