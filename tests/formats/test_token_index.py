"""The index finds what a dict of the tokens would."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from formats.token_hashes import hash_array
from formats.token_index import TokenIndex

_TOKENS = st.lists(st.text(max_size=30), unique=True, max_size=60)


def _find(vocabulary: list[str], tokens: list[str]) -> list[int]:
    index = TokenIndex(pa.array(vocabulary, pa.string()))
    found: list[int] = index.find(pa.array(tokens, pa.string())).tolist()
    return found


@given(_TOKENS, _TOKENS)
@example([], ["a"])
@example(["a"], [])
@example([""], ["", "a"])
def test_tokens_are_found_at_their_places_and_others_nowhere(vocabulary, others):
    places = {token: place for place, token in enumerate(vocabulary)}
    tokens = [*others, *vocabulary]
    assert _find(vocabulary, tokens) == [places.get(token, -1) for token in tokens]


def test_tokens_of_one_hash_are_told_apart():
    alike = [f"{'a' * 256}{number:03}{'z' * 8}" for number in range(100)]
    assert len(set(hash_array(pa.array(alike)).tolist())) == 1
    assert _find(alike[::2], alike) == [
        number // 2 if number % 2 == 0 else -1 for number in range(100)
    ]


def test_tokens_that_differ_anywhere_in_their_first_bytes_have_hashes_of_their_own():
    tokens = [f"{'a' * place}b{'a' * (255 - place)}{'z' * 8}" for place in range(256)]
    assert len(set(hash_array(pa.array(tokens)).tolist())) == 256


def test_a_slice_of_a_vocabulary_counts_from_its_own_start():
    tokens = pa.array(["x", "a", "b", "y"]).slice(1, 2)
    index = TokenIndex(tokens)
    assert index.find(pa.array(["z", "b", "a", "x"]).slice(1)).tolist() == [1, 0, -1]
