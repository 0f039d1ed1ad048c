"""The one file that a command writes."""

from __future__ import annotations

import os

from formats.errors import UsageError
from transforms.storage import create_file, delete, is_local

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
    probe = f"{uri}.probe"
    try:
        with create_file(probe) as file:
            file.write(b"")
    except OSError as error:
        raise UsageError(f"--output {uri}: can't be written: {error}") from error
    delete(probe)
