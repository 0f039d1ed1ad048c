"""What ``--vectors`` names: ``PATH[#MEMBER][?KEY=VALUE[&KEY=VALUE]]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from formats.errors import UsageError

TOKENS, TENSOR = "tokens", "tensor"
TOKEN_COLUMN, VECTOR_COLUMN = "token_column", "vector_column"

# Which files each key is for.
OPTIONS = {
    TOKENS: ".npy and safetensors files",
    TENSOR: "safetensors files",
    TOKEN_COLUMN: "Parquet and Arrow files",
    VECTOR_COLUMN: "Parquet and Arrow files",
}

_OPTION = re.compile("([a-z_]+)=(.*)", re.DOTALL)
_NEXT_OPTION = re.compile("&(?=[a-z_]+=)")


class VectorSpec(NamedTuple):
    """The parts of a ``--vectors``.

    Attributes:
        text: all of it, as the user wrote it.
        path: path or URI of the file.
        member: name inside a zip archive, else empty.
        options: the values of the keys that were given.
    """

    text: str
    path: str
    member: str
    options: Mapping[str, str]

    @property
    def place(self) -> str:
        """The spec without its options: ``PATH[#MEMBER]``."""
        return f"{self.path}#{self.member}" if self.member else self.path

    def demand_options(self, format: str, *known: str) -> None:
        """Checks that the options are of use for a file.

        Args:
            format: what the file is, for people.
            known: the keys that are.

        Raises:
            UsageError: another was given.
        """
        for key in self.options:
            if key not in known:
                raise UsageError(
                    f"--vectors {self.text}: {key}= is for {OPTIONS[key]}, and the file is {format}"
                )


def parse_spec(text: str) -> VectorSpec:
    """Parts a ``--vectors``.

    A ``?`` counts only if what follows the last one is made of known keys, and a ``#`` only
    behind a name that ends in ``.zip``; otherwise they belong to the path.

    Raises:
        UsageError: a key is not known, or comes twice, or has no value.
    """
    place, mark, query = text.rpartition("?")
    parts = [_OPTION.fullmatch(part) for part in _NEXT_OPTION.split(query)]
    pairs = [(part[1], part[2]) for part in parts if part is not None]
    if not mark or len(pairs) < len(parts) or not any(key in OPTIONS for key, _ in pairs):
        place, pairs = text, []
    options = dict(pairs)
    for key, value in pairs:
        if key not in OPTIONS:
            raise UsageError(f"--vectors {text}: unknown key {key}; {known_keys()}")
        if not value or len(options) < len(pairs):
            problem = "comes twice" if value else "has no value"
            raise UsageError(f"--vectors {text}: {key}= {problem}")
    return VectorSpec(text, *_split_member(place), options)


def known_keys() -> str:
    """The keys that can stand behind a ``?``, for messages."""
    return f"the keys are {', '.join(OPTIONS)}"


def _split_member(place: str) -> tuple[str, str]:
    head, mark, tail = place.partition(".zip#")
    return (head + ".zip", tail) if mark else (place, "")
