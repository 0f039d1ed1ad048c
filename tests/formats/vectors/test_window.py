"""A window shows the bytes of a stream, and never changes those that somebody still holds."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.vectors.window import Window
from tests.formats.vectors.vector_files import ShortReads


@pytest.fixture
def window() -> Iterator[Window]:
    with contextlib.closing(Window(io.BytesIO(bytes(range(200))))) as opened:
        yield opened


def shown(window: Window) -> bytes:
    return bytes(window.data[: window.size])


@given(
    data=st.binary(max_size=400),
    most=st.integers(1, 50),
    steps=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=20),
)
def test_a_window_shows_what_was_read_and_not_dropped(
    data: bytes, most: int, steps: list[tuple[int, int]]
) -> None:
    start = end = 0
    with contextlib.closing(Window(ShortReads(data, most))) as window:
        for read, dropped in steps:
            more = window.read(read)
            assert bool(more) == bool(read and end < len(data))
            end += more
            dropped = min(dropped, end - start)
            window.drop(dropped)
            start += dropped
            assert (window.offset, shown(window)) == (start, data[start:end])
            assert window.octets.tobytes() == data[start:end]
            assert window.find(b"a") == data[start:end].find(b"a")


def test_what_is_held_stays_as_it_is(window: Window) -> None:
    held = []
    for start in range(0, 200, 20):
        window.read(20)
        held.append((start, window.data))
        window.drop(20)
    for start, data in held:
        assert data[:20] == bytes(range(start, start + 20))


def test_memory_that_nobody_holds_is_used_again(window: Window) -> None:
    used = set()
    window.read(20)
    for _ in range(8):
        used.add(id(window.data))
        window.drop(20)
        window.read(20)
    assert len(used) == 1


def test_the_next_window_leaves_alone_what_is_held_of_the_last() -> None:
    first = Window(io.BytesIO(b"first"))
    first.read(5)
    held = first.data
    first.close()
    second = Window(io.BytesIO(b"other"))
    second.read(5)
    assert held[:5] == b"first"
    assert shown(second) == b"other"


def test_two_windows_at_a_time_have_memory_of_their_own() -> None:
    one, two = Window(io.BytesIO(b"one")), Window(io.BytesIO(b"two"))
    one.read(3)
    two.read(3)
    assert (shown(one), shown(two)) == (b"one", b"two")


def test_a_window_is_moved(window: Window) -> None:
    window.read(10)
    window.seek(150)
    window.read(3)
    assert (window.offset, shown(window)) == (150, bytes([150, 151, 152]))
