"""The command line: ``embprep build``, ``inspect``, ``verify``, ``export`` and ``vectors``."""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from formats.errors import EmbprepError, UsageError
from pipeline.allocators import keep_freed_memory

if TYPE_CHECKING:
    from pipeline.flags import FlagParser

_USAGE = """usage: embprep build    --corpus SPEC [...] --vectors SPEC [...] --output URI [flags]
       embprep inspect  VECTORS [--allow_pickle]
       embprep verify   OUTPUT
       embprep export   OUTPUT --format word2vec|glove|npz --output FILE
       embprep vectors  --method lsa|word2vec|fasttext --corpus SPEC [...] --output FILE [flags]

embprep COMMAND --help explains a command."""


def command(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line, or another, as a process of its own; gives its exit code."""
    keep_freed_memory()
    # Libraries and the graph of a job make hundreds of thousands of objects that stay. To look
    # through them for garbage, now and again and once more at the end, takes a sixth of the time
    # of a small build.
    gc.set_threshold(50_000, 20, 50)
    try:
        return main(arguments)
    finally:
        gc.freeze()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; gives its exit code: 0, 1 for a failed job, 2 for wrong usage."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    verbose = "--verbose" in arguments
    _quiet_libraries(verbose)
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except EmbprepError as error:
        if verbose:
            traceback.print_exc()
        print(f"embprep: error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("embprep: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Who was to read it has gone, and Python would try once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if verbose:
            traceback.print_exc()
        first_line = (str(error).strip() or type(error).__name__).splitlines()[-1]
        print(f"embprep: error: {first_line} (--verbose shows where)", file=sys.stderr)
        return 1


def _run(arguments: Sequence[str]) -> int:
    commands: dict[str, Callable[[Sequence[str]], int]] = {
        "build": _build,
        "inspect": _inspect,
        "verify": _verify,
        "export": _export,
        "vectors": _vectors,
    }
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE)
        return 0 if arguments else 2
    if arguments[0] not in commands:
        raise UsageError(f"unknown command {arguments[0]}; the commands are {', '.join(commands)}")
    return commands[arguments[0]](arguments[1:])


def _build(arguments: Sequence[str]) -> int:
    from pipeline.build import build
    from pipeline.flags import parse_build_flags
    from pipeline.report import summary_table
    from pipeline.temporary import temporary_files

    config, options = parse_build_flags(arguments)
    with _stopped_at_once("; the dataset in force is whole"), temporary_files():
        manifest, seconds = build(config, options)
    if manifest is None:
        print("described only: no job was run, and nothing is published yet")
        return 0
    for warning in manifest.warnings:
        print(f"embprep: warning: {warning}", file=sys.stderr)
    print(summary_table(manifest, config.output, seconds))
    return 0


@contextlib.contextmanager
def _stopped_at_once(more: str = "") -> Iterator[None]:
    """Lets a signal end the process where it stands.

    Beam's engine waits for its workers when it is interrupted, and they for it. Nothing needs to
    be tidied up for the dataset in force or the file before, which no signal can harm.

    Args:
        more: what the line says then, behind that the process was interrupted.
    """
    stop = functools.partial(_stop, more)
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(more: str, number: int, _: object) -> None:
    from pipeline.temporary import delete_temporary_files

    delete_temporary_files()
    # Not by print, which may have been interrupted itself.
    clear_line = "\r\x1b[K" if sys.stderr.isatty() else ""
    message = f"{clear_line}embprep: interrupted{more}\n"
    os.write(sys.stderr.fileno(), message.encode())
    os._exit(128 + number)


def _inspect(arguments: Sequence[str]) -> int:
    from pipeline.inspect import inspect

    parser = _parser_of_one(
        "inspect",
        "VECTORS",
        "Tells what a vector file is: its format, rows, dimension, first tokens and "
        "irregularities. VECTORS is PATH[#MEMBER][?KEY=VALUE], as --vectors of build.",
    )
    parser.add_argument(
        "--allow_pickle", action="store_true", help="load a file that gensim's save() wrote; THIS "
        "RUNS CODE of whoever made it",
    )  # fmt: skip
    given = _reach_files(parser, arguments)
    return inspect(given.argument, given.allow_pickle)


def _verify(arguments: Sequence[str]) -> int:
    from pipeline.verify import verify

    parser = _parser_of_one(
        "verify",
        "OUTPUT",
        "Hashes every published file of a dataset again and checks every rule it can show. Ends "
        "with 0 if it is whole, else with 1.",
    )
    return verify(_reach_files(parser, arguments).argument)


def _export(arguments: Sequence[str]) -> int:
    from pipeline.export import export
    from pipeline.temporary import temporary_files

    with temporary_files():
        return export(arguments)


def _vectors(arguments: Sequence[str]) -> int:
    from pipeline.temporary import temporary_files
    from pipeline.train_vectors import vectors

    with _stopped_at_once(), temporary_files():
        return vectors(arguments)


def _parser_of_one(command: str, name: str, description: str) -> FlagParser:
    """The parser of a command that takes one argument."""
    from pipeline.flags import FlagParser

    parser = FlagParser(prog=f"embprep {command}", description=description)
    parser.add_argument("--verbose", action="store_true", help="show tracebacks and Beam's log")
    parser.add_argument("argument", metavar=name)
    return parser


def _reach_files(parser: FlagParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Reads the command line; Beam's flags in it tell how to reach remote files."""
    from pipeline.flags import read_arguments
    from transforms.storage import use_options

    given, options = read_arguments(parser, arguments)
    use_options(options)
    return given


def _quiet_libraries(verbose: bool) -> None:
    """Keeps the log of Beam and gRPC from the terminal, which is the user's."""
    if verbose:
        logging.basicConfig(level=logging.INFO)
    else:
        logging.disable(logging.CRITICAL)
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        # Beam's threads lose their connection when a worker process ends; whoever needs to know
        # learns it from the run.
        threading.excepthook = lambda _: None


if __name__ == "__main__":
    sys.exit(main())
