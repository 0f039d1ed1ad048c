"""Changes of files: of bytes anywhere, of bytes in their place, of JSON values, of size."""

from __future__ import annotations

import json
from random import Random
from typing import Any

_EDGES = (0, 1, 0x7F, 0x80, 0xFF)
_EDGE_WORDS = tuple(
    value.to_bytes(size, "little", signed=True)
    for size in (2, 4, 8)
    for value in (-1, 0, 1, 2 ** (8 * size - 1) - 1, -(2 ** (8 * size - 1)), 1 << (8 * size - 4))
)
_PIECES = (b"\n", b" ", b"\r", b"\t", b'"', b",", b"\0", b"\xef\xbb\xbf", b"\xff", b"0", b"1e999",
           b"nan", b"-", b"{", b"[", b"999999999999", b"\xed\xa0\x80")  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 10**400, 0.5, 1e308, "", "a", "../a",
    "\ud800", "\0", [], {}, [[]], ["a", 1], {"a": 1},
)  # fmt: skip


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """A few changes that may move what follows."""
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        place = random.randrange(len(data) + 1)
        size = random.choice((1, 1, 2, 4, 16, 64))
        kind = random.randrange(6)
        if kind == 0:
            data = data[:place] + data[place + size :]
        elif kind == 1:
            data = data[:place] + random.choice(_PIECES) + data[place:]
        elif kind == 2:
            other = random.randrange(len(data) + 1)
            data = data[:place] + data[other : other + size] + data[place:]
        elif kind == 3:
            data = data[:place]
        else:
            data = mutate_in_place(data, random)
    return data


def mutate_in_place(data: bytes, random: Random) -> bytes:
    """A few changes after which every byte is where it was."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        if not changed:
            break
        place = random.randrange(len(changed))
        kind = random.randrange(4)
        if kind == 0:
            changed[place] ^= 1 << random.randrange(8)
        elif kind == 1:
            changed[place] = random.choice(_EDGES)
        elif kind == 2:
            changed[place] = random.randrange(256)
        else:
            word = random.choice(_EDGE_WORDS)[: len(changed) - place]
            changed[place : place + len(word)] = word
    return bytes(changed)


def grow(data: bytes, size: int, random: Random) -> bytes:
    """A piece of a file comes again and again: what takes more than its share shows so."""
    place = random.randrange(len(data) + 1)
    piece = data[place : place + random.choice((1, 2, 16, 256))] or b"\0"
    return data[:place] + piece * (size // len(piece)) + data[place:]


def mutate_json(data: bytes, random: Random) -> bytes:
    """Another value somewhere in a JSON document, or a key less; else a change of bytes."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_bytes(data, random)
    if not isinstance(document, (dict, list)) or not document or random.random() < 0.2:
        return mutate_bytes(data, random)
    _change(document, random)
    return json.dumps(document, indent=random.choice((None, 2))).encode()


def mutate_safetensors(data: bytes, random: Random) -> bytes:
    """Another value in the header, whose length is made to fit; or a change of bytes."""
    length = int.from_bytes(data[:8], "little")
    if length > len(data) or random.random() < 0.2:
        return mutate_bytes(data, random)
    header = mutate_json(data[8 : 8 + length], random)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _change(document: Any, random: Random) -> None:
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    key = random.choice(keys)
    inner = document[key]
    if isinstance(inner, (dict, list)) and inner and random.random() < 0.8:
        _change(inner, random)
    elif random.random() < 0.15:
        del document[key]
    else:
        document[key] = random.choice(_VALUES)
