"""Both ways to find a vocabulary's rows give the same rows."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.token_hashes import hash_array
from formats.vectors.records import ArrayRows
from formats.vectors.sieve import make_sieve
from formats.vectors.text_rows import read_rows
from formats.vectors.wanted_rows import LikelyTokens, WantedTokens, find_rows, match_candidates
from tests.formats.vectors.vector_files import lookup_of, text_file

_TOKENS = st.lists(st.text("ab\u00e9\ud55c", min_size=1, max_size=4).map(str.encode), max_size=20)


@pytest.mark.parametrize("unicode_errors", ["skip", "replace"])
@given(tokens=_TOKENS.filter(len), wanted=_TOKENS)
def test_candidates_that_match_are_what_is_found_at_once(unicode_errors, tokens, wanted):
    file = text_file([*tokens, b"\xff"], [[b"%d" % row] for row in range(len(tokens) + 1)])
    blocks = list(read_rows(io.BytesIO(file), 1, 0, None, name="file"))
    lookup = lookup_of(dict.fromkeys([*wanted, "\ufffd".encode()]))
    likely = LikelyTokens(lookup.sieve, unicode_errors)
    candidates = list(find_rows(blocks, likely, 3, 1))
    found = list(find_rows(blocks, WantedTokens(lookup, unicode_errors), 3, 1))
    matched = [match_candidates(batch, lookup) for batch in candidates]
    rows = [row for batch in matched for row in batch.to_pylist()]
    assert rows == [row for batch in found for row in batch.to_pylist()]
    number_of_replaced = sum(row["position"] == file.rindex(b"\xff") for row in rows)
    assert number_of_replaced == (unicode_errors == "replace")


def test_rows_whose_tokens_and_vectors_lie_apart_are_sifted_too():
    tokens = [b"word%d" % number for number in range(2000)]
    asked = []

    def read(rows):
        asked.append(rows.tolist())
        return rows[:, None].astype("f4")

    sieve = make_sieve([hash_array(pa.array(tokens[5:7]))], 2)
    [candidates] = find_rows([ArrayRows(tokens, 100, read)], LikelyTokens(sieve), 0, 0)
    assert set(tokens[5:7]) <= set(candidates.column("token").to_pylist())
    [rows] = asked
    assert len(rows) < 200
    assert candidates.column("position").to_pylist() == [100 + row for row in rows]
