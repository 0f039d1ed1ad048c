"""The values of flags: what each takes, and the message for what it does not."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import Any

from formats.blocks import SPLITS
from formats.dataset.paths import RUN_ID
from formats.errors import UsageError
from formats.vectors.forms import RULES


def parsed_by(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """The type of a flag whose parser raises a ``UsageError`` of its own."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def at_least(smallest: int) -> Callable[[str], int]:
    """The type of a flag that takes a whole number, from a smallest one on."""

    def convert(text: str) -> int:
        if not re.fullmatch("[0-9]{1,18}", text) or int(text) < smallest:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {smallest} on")
        return int(text)

    return convert


def seed(text: str) -> int | str:
    """The type of a flag that takes a whole number, or none."""
    if text == "none":
        return text
    if not re.fullmatch("-?[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number nor none")
    return int(text)


def split_names(text: str) -> list[str]:
    """The type of a flag that takes names of splits, separated by commas."""
    names = text.split(",")
    for name in names:
        if name not in SPLITS:
            raise argparse.ArgumentTypeError(f"{name!r} is no split; they are {', '.join(SPLITS)}")
    return [name for name in SPLITS if name in names]


def one_or_several(choices: Sequence[str]) -> Callable[[str], list[str]]:
    """The type of a flag that takes some of the choices, separated by commas."""

    def convert(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in choices:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(choices)}")
        return names

    return convert


def fallback_rules(text: str) -> list[str]:
    """The type of a flag that takes lookup rules, each once."""
    rules = one_or_several(RULES)(text)
    if len(set(rules)) < len(rules):
        raise argparse.ArgumentTypeError(f"{text!r} names a rule twice")
    return rules


def reject_fractions(text: str) -> tuple[float, float]:
    """The type of a flag that takes one or two fractions: of the corpus, of the vectors."""
    try:
        fractions = [float(part) for part in text.split(",")]
    except ValueError:
        fractions = []
    if len(fractions) not in (1, 2) or not all(0 <= part <= 1 for part in fractions):
        raise argparse.ArgumentTypeError(f"{text!r} is not one or two fractions from 0 to 1")
    return fractions[0], fractions[1] if len(fractions) == 2 else 0.0


def run_id(text: str) -> str:
    """The type of a flag that names a run."""
    if not re.fullmatch(RUN_ID, text):
        raise argparse.ArgumentTypeError(
            f"{text!r} can't name a folder; use letters, digits, dots, dashes and underscores"
        )
    return text
