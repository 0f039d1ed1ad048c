"""The one file that a command writes."""

from __future__ import annotations

import os

from formats.errors import UsageError
from transforms.storage import create_file, delete, delete_partial, is_local

_PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst")


def check_output_file(uri: str) -> None:
    """Finds out before the work whether its result can be written.

    Raises:
        UsageError: it can't, or its name promises that it is packed, by which some readers go.
    """
    if uri.lower().endswith(_PACKED):
        raise UsageError(f"--output {uri}: the file is written plain; give a name without "
                         f"{uri[uri.rindex('.'):]}, and pack it afterwards")  # fmt: skip
    if is_local(uri) and os.path.isdir(uri):
        raise UsageError(f"--output {uri}: a directory; give the file to write")
    directory, _, name = uri.rpartition("/")
    probe = f"{uri}.probe"
    try:
        # What a command that was killed had written of it.
        delete_partial(directory or ("/" if uri.startswith("/") else "."), f"{name}.")
        with create_file(probe) as file:
            file.write(b"probe")
    except OSError as error:
        reason = error.__cause__ or error
        raise UsageError(f"--output {uri}: can't be written: {reason}") from error
    delete(probe)
