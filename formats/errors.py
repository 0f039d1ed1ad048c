"""The errors that embprep raises for what it was given, and for what it can't write.

Each message is one line: it names the file, the place in it, what was expected, what was
found and what to do. The command line prints that line and nothing else; a traceback is
shown with ``--verbose`` only.
"""

from __future__ import annotations


class EmbprepError(Exception):
    """Base of the errors whose message is meant for the user, as one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split("\n")))


class UsageError(EmbprepError):
    """A flag that can't be used as it was given. The command ends with exit code 2."""


class DataError(EmbprepError):
    """Input that is damaged, or not what it claims to be. The command ends with exit code 1."""


class StorageError(EmbprepError, OSError):
    """A file that can't be written, such as for a full disk. The command ends with exit code 1."""


def damaged(file: str, place: str, *, expected: str, found: str, remedy: str) -> DataError:
    """Builds the ``DataError`` for a file that breaks its own format.

    Args:
        file: path or URI of the file, with ``#MEMBER`` for a member of an archive.
        place: where in the file, such as ``"row 12, byte 3401"``.
        expected: what the format asks for there.
        found: what is there instead.
        remedy: what the user can do about it.
    """
    return DataError(f"{file}: {place}: expected {expected}, found {found}; {remedy}")
