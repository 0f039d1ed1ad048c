"""A tokenizer that counts how often it is called."""

from __future__ import annotations

calls = 0


def tokenize(text: str) -> list[str]:
    global calls
    calls += 1
    return text.split()
