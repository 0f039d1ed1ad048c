"""The runs of an OUTPUT: those at work, and what is left of those that ended early.

While a build is at work, ``OUTPUT/RUN_ID.in-progress`` names its process and its engine. It is
there before any file of the run, and goes after all that has to go: so whatever moment a build
is killed at, the file tells the next one what to clear. Only what such a file names is ever
deleted. A run that has its own manifest is complete, and stays.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import platform
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from formats.dataset.manifest import parse_manifest, published_files
from formats.dataset.paths import MANIFEST_PATH, RUN_ID, run_directory, run_manifest_path
from formats.errors import DataError, EmbprepError, StorageError, UsageError
from transforms.processes import has_ended, this_process
from transforms.storage import (
    create_file,
    create_new,
    delete,
    delete_partial,
    exists,
    join,
    list_names,
    match_files,
    read_file,
)

_IN_PROGRESS = ".in-progress"
# Longer than any engine lets a batch job run; for runs of which nothing else can be known here.
_GIVEN_UP_DAYS = 14
LOCAL = "local"


class RunAtWork(NamedTuple):
    """What is known of a run that is at work, or was when its process ended.

    Attributes:
        run_id: its name.
        started: when it began, UTC, ISO 8601.
        host: name of the machine that its process is on.
        process: its process, as ``transforms.processes`` names it.
        engine: what does the work; ``LOCAL`` if it ends with the process.
        failed: whether the engine said that the job has failed.
    """

    run_id: str
    started: str
    host: str
    process: str
    engine: str
    failed: bool = False

    def has_ended(self) -> bool | None:
        """Whether nothing of it is at work any more; None if that can't be told from here."""
        if self.failed:
            return True
        ended = has_ended(self.process) if self.engine == LOCAL else None
        return True if ended is None and self._is_given_up() else ended

    def _is_given_up(self) -> bool:
        with contextlib.suppress(ValueError, TypeError):
            age = _now() - datetime.datetime.fromisoformat(self.started)
            return age.days >= _GIVEN_UP_DAYS
        return False


@contextlib.contextmanager
def begun_run(output: str, run_id: str, engine: str) -> Iterator[None]:
    """Begins a run, and ends it in good order when the block does.

    What builds that were killed have left is cleared before; and once more afterwards, should a
    process of theirs have written a last file.

    Args:
        output: URI of the dataset.
        run_id: name of the run.
        engine: as ``RunAtWork`` has it.

    Raises:
        UsageError: OUTPUT can't be written, or the name is taken. Nothing was run.
    """
    _demand_not_in_force(output, run_id)
    ended = _clear_ended(output)
    for other in ended:
        if other.run_id == run_id:
            _forget(output, other)
    run = RunAtWork(run_id, _now().isoformat(timespec="seconds"), platform.node(),
                    this_process(), engine)  # fmt: skip
    _begin(output, run)
    try:
        yield
    except BaseException as error:
        if engine == LOCAL:
            _give_up(output, run_id)
        elif isinstance(error, EmbprepError):
            # The engine's workers may yet write; the next build clears it.
            with create_file(_marker(output, run_id)) as file:
                file.write(_to_json(run._replace(failed=True)))
        raise
    else:
        if _is_complete(output, run_id):
            _delete_unpublished(output, run_id)
        delete(_marker(output, run_id))
    finally:
        for other in ended:
            _forget(output, other)


def _demand_not_in_force(output: str, run_id: str) -> None:
    uri = join(output, MANIFEST_PATH)
    try:
        data = read_file(uri) if exists(uri) else b""
    except OSError as error:
        raise _unwritable(output, error) from error
    # A damaged one is replaced.
    with contextlib.suppress(DataError):
        if parse_manifest(data, uri).run_id == run_id:
            raise UsageError(
                f"--run_id {run_id}: the dataset in force at {output} is of a run of this name, "
                "and would be destroyed while it is replaced; give another name"
            )


def _begin(output: str, run: RunAtWork) -> None:
    marker, directory = _marker(output, run.run_id), join(output, run_directory(run.run_id))
    try:
        begun = create_new(marker, _to_json(run))
    except StorageError as error:
        raise _unwritable(output, error) from error
    if not begun:
        raise UsageError(
            f"--run_id {run.run_id}: a build of this name may be at work on {output}; give another "
            f"name or, if it has ended, delete {marker}"
        )
    try:
        # The place of the runs may be another than that of the manifest.
        with create_file(join(directory, "probe")) as file:
            file.write(b"probe")
    except StorageError as error:
        _give_up(output, run.run_id)
        raise _unwritable(output, error) from error
    # With it goes an earlier run of this name.
    delete(directory)


def _unwritable(output: str, error: OSError) -> UsageError:
    return UsageError(f"--output {output}: can't be written: {error.__cause__ or error}")


def _clear_ended(output: str) -> list[RunAtWork]:
    """Clears what has ended, and gives it; tells of what may have."""
    delete_partial(output, f"{MANIFEST_PATH}.")
    delete_partial(join(output, "runs"))
    ended = []
    for name in list_names(output, _IN_PROGRESS):
        run = _read(output, name.removesuffix(_IN_PROGRESS))
        if run is None:
            continue
        has_ended = run.has_ended()
        if has_ended:
            ended.append(run)
            _clear(output, run.run_id)
        elif has_ended is None and not _is_complete(output, run.run_id):
            _tell(
                f"warning: {join(output, run_directory(run.run_id))} may be of a build at work, "
                f"begun {run.started} on {run.host} (engine: {run.engine}), and is left alone; if "
                f"that has ended, delete it, and then {_marker(output, run.run_id)}"
            )
    return ended


def _clear(output: str, run_id: str) -> None:
    directory = join(output, run_directory(run_id))
    if _is_complete(output, run_id):
        _delete_unpublished(output, run_id)
    elif match_files(directory):
        delete(directory)
        if not match_files(directory):
            _tell(f"{directory}, left by a build that ended early, is cleared")


def _forget(output: str, run: RunAtWork) -> None:
    """Clears a run that has ended for good, unless one of its name has begun meanwhile."""
    if _read(output, run.run_id) == run:
        _give_up(output, run.run_id)


def _give_up(output: str, run_id: str) -> None:
    # It may have failed after it was published.
    if not _is_complete(output, run_id):
        delete(join(output, run_directory(run_id)))
    delete(_marker(output, run_id))


def _is_complete(output: str, run_id: str) -> bool:
    return exists(join(output, run_manifest_path(run_id)))


def _delete_unpublished(output: str, run_id: str) -> None:
    """Deletes what attempts that failed have left in a complete run."""
    uri = join(output, run_manifest_path(run_id))
    with contextlib.suppress(DataError):
        manifest = parse_manifest(read_file(uri), uri)
        # By their names alone, since a file system may write the URIs otherwise than we do.
        published = {file.path.rpartition("/")[2] for file in published_files(manifest)}
        for file in match_files(join(output, run_directory(run_id))):
            if file.uri.rpartition("/")[2] not in published | {MANIFEST_PATH}:
                delete(file.uri)


def _read(output: str, run_id: str) -> RunAtWork | None:
    """What is known of a run; None if nothing, so that it is to be left alone."""
    if not re.fullmatch(RUN_ID, run_id):
        return None
    try:
        data = read_file(_marker(output, run_id))
        if not data:
            # Killed before it could do more.
            return RunAtWork(run_id, "", "", "", LOCAL, failed=True)
        run = RunAtWork(run_id, **json.loads(data))
    except (OSError, ValueError, TypeError):
        return None
    return run if [*map(type, run)] == [str, str, str, str, str, bool] else None


def _to_json(run: RunAtWork) -> bytes:
    values = run._asdict()
    del values["run_id"]
    return (json.dumps(values, indent=2) + "\n").encode()


def _marker(output: str, run_id: str) -> str:
    return join(output, run_id + _IN_PROGRESS)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def _tell(message: str) -> None:
    print(f"embprep: {message}", file=sys.stderr, flush=True)
