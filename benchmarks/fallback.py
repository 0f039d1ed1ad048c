"""What each lookup rule of ``--fallback`` adds to the coverage of a vocabulary.

``python -m benchmarks.fallback`` builds the whole of rt-polarity with cased vectors once for each
rule, one rule more each time, and writes ``docs/fallback.csv``.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from benchmarks.accuracy_settings import CASED, RULES
from benchmarks.accuracy_tables import coverage_table
from formats.dataset.manifest import Coverage, parse_manifest
from pipeline.main import main as embprep

# White space keeps hyphens, and the punctuation that the words of these vectors end in.
_TOKENIZERS = ("basic", "whitespace")
_COLUMNS = ("tokenizer", "fallback", "vocabulary", "matched", "type_coverage", "token_coverage")


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds with ever more rules; gives the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.fallback")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("output/accuracy"))
    parser.add_argument("--results", type=Path, default=Path("docs/fallback.csv"))
    flags = parser.parse_args(arguments)
    rules = RULES.split(",")
    with open(flags.results, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for tokenizer, number in product(_TOKENIZERS, range(1, len(rules) + 1)):
            fallback = ",".join(rules[:number])
            output = flags.work / "fallback" / f"{tokenizer}-{number}"
            found = _coverage(tokenizer, fallback, flags.data, output)
            shares = (f"{share:.6f}" for share in (found.type_coverage, found.token_coverage))
            writer.writerow([tokenizer, fallback, found.vocabulary, found.matched, *shares])
    print(coverage_table(flags.results))
    return 0


def _coverage(tokenizer: str, fallback: str, data: Path, output: Path) -> Coverage:
    code = embprep(
        [
            "build",
            f"--corpus={data / 'corpora' / 'rt-polarity.tsv'}",
            f"--vectors={data / 'vectors' / CASED}",
            "--vocabulary_splits=train,validation,test",
            f"--tokenizer={tokenizer}",
            f"--fallback={fallback}",
            f"--output={output}",
        ]
    )
    if code:
        raise SystemExit(code)
    path = output / "manifest.json"
    return parse_manifest(path.read_bytes(), str(path)).coverage


if __name__ == "__main__":
    sys.exit(main())
