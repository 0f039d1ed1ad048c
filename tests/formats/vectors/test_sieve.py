"""The sieve lets all wanted tokens through, wherever they lie, and few others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from formats.token_hashes import hash_array
from formats.vectors.sieve import TokenSieve, make_sieve

tokens = st.binary(max_size=24)


def sieve_of(wanted: list[bytes]) -> TokenSieve:
    return make_sieve([hash_array(pa.array(wanted, pa.binary()))], len(wanted))


def laid_out(parts: list[bytes], gap: bytes) -> tuple[bytes, list[int], list[int]]:
    starts, ends, data = [], [], b""
    for part in parts:
        starts.append(len(data))
        ends.append(len(data) + len(part))
        data += part + gap
    return data, starts, ends


@given(wanted=st.lists(tokens, unique=True), others=st.lists(tokens), gap=st.binary(max_size=9))
@example(wanted=[b"a"], others=[], gap=b"")
@example(wanted=[b"exactly8", b"exactly8andmore"], others=[b"exactly"], gap=b"")
@example(wanted=[b""], others=[b"12345678"], gap=b"")
def test_no_wanted_token_is_held_back(wanted: list[bytes], others: list[bytes], gap: bytes) -> None:
    sieve = sieve_of(wanted)
    parts = [*others, *wanted, *others, *wanted]
    for data, starts, ends in (laid_out(parts, gap), laid_out(parts[::-1], gap)):
        passed = sieve.candidates(data, np.array(starts, np.int64), np.array(ends, np.int64))
        let_through = [data[starts[row] : ends[row]] for row in passed.tolist()]
        found = [token for token in let_through if token in wanted]
        assert sorted(found) == sorted(2 * wanted + [part for part in 2 * others if part in wanted])
        assert passed.tolist() == sorted(set(passed.tolist()))


def test_few_other_tokens_pass() -> None:
    sieve = sieve_of([b"word%d" % number for number in range(2000)])
    others = [b"word%d" % number for number in range(2000, 42000)]
    data, starts, ends = laid_out(others, b" 0.5\n")
    passed = sieve.candidates(data, np.array(starts), np.array(ends))
    assert len(passed) < len(others) / 16


def test_a_sieve_of_nothing_lets_nothing_through() -> None:
    data, starts, ends = laid_out([b"one", b"two", b"three"], b" 1.0 2.0\n")
    assert not len(sieve_of([]).candidates(data, np.array(starts), np.array(ends)))
