"""What a large vocabulary takes: ``python -m benchmarks.large_vocabulary [flags]``.

Builds from a corpus of ten million distinct tokens, each of which has a vector, with each way to
join, by worker processes; prints the seconds and the memory of each process. What they publish must
be the same.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks import data
from benchmarks.cases import BUILD, Setting, program
from benchmarks.checks import published
from benchmarks.measure import run_program
from formats.dataset.manifest import published_files

_LINE_TOKENS = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures each way to join; gives 1 if two of them do not publish the same, else 0."""
    flags = _parse(arguments)
    setting = Setting(flags.data.resolve())
    tokens = data.vocabulary_of_first(setting.data, flags.tokens)
    corpus = data.lines_of(setting.data, tokens, -(-flags.tokens // _LINE_TOKENS))
    vectors = data.glove_text(setting.data, flags.tokens, flags.dim)
    hashes = []
    print("| join | seconds | the program | its workers, MB |\n| --- | --- | --- | --- |")
    for join in flags.joins:
        output = setting.work("large-vocabulary", join)
        shutil.rmtree(output, ignore_errors=True)
        measured = run_program(
            program(
                *BUILD, "--corpus", f"train={corpus}", "--label_column=", "--vectors", vectors,
                "--output", output, "--join", join, "--direct_running_mode", "multi_processing",
                "--direct_num_workers", flags.workers,
            )
        )  # fmt: skip
        own, *workers = (round(peak / 1e6) for peak in measured.process_peaks)
        largest = sorted(workers, reverse=True)[: flags.workers]
        print(
            f"| {join} | {measured.seconds:.1f} | {own} | {', '.join(map(str, largest))} |",
            flush=True,
        )
        hashes.append([(file.path.rpartition("/")[2], file.sha256)
                       for file in published_files(published(output))])  # fmt: skip
        shutil.rmtree(output)
    same = all(of_join == hashes[0] for of_join in hashes)
    print("what they publish is the same" if same else "what they publish DIFFERS")
    return 0 if same else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.large_vocabulary",
        description="Measures builds with a large vocabulary.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--tokens", type=int, default=10_000_000, help="distinct tokens; 10,000,000")
    add("--dim", type=int, default=8, help="dimensions of their vectors; 8")
    add("--workers", type=int, default=2, help="worker processes; 2")
    add("--joins", type=lambda text: text.split(","), default=["broadcast", "shuffle"],
        metavar="JOIN[,JOIN]", help="ways to join; broadcast,shuffle")  # fmt: skip
    add("--data", type=Path, default=Path("output/benchmarks"), metavar="FOLDER",
        help="where the inputs are kept, some 1 GB; output/benchmarks")  # fmt: skip
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
