"""The forms under which a token is looked up."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.vectors.forms import RULES, forms_of
from formats.vectors.lookup import make_lookup


@pytest.mark.parametrize(
    ("rule", "token", "form"),
    [
        ("exact", "The", "The"),
        ("lower", "IJsland", "ijsland"),
        ("title", "new-york", "New-York"),
        ("title", "don't", "Don't"),
        ("title", "MCDONALD", "Mcdonald"),
        ("upper", "nato", "NATO"),
        ("strip_accents", "caf\u00e9", "cafe"),
        ("strip_accents", "\ub2e8\uc5b4", "\ub2e8\uc5b4"),
        ("digits", "2023-11", "####-##"),
    ],
)
def test_each_rule_gives_its_form(rule, token, form):
    assert [found.text for found in forms_of(token, [rule])] == [form]


def test_hyphen_parts_the_token_and_leaves_others():
    assert [tuple(form) for form in forms_of("bye-bye-love", ["exact", "hyphen"])] == [
        ("bye-bye-love", 0, 0, 1), ("bye", 1, 0, 3), ("bye", 1, 1, 3), ("love", 1, 2, 3),
    ]  # fmt: skip
    for token in ("word", "-", "well-", "a--b"):
        assert [form.text for form in forms_of(token, ["exact", "hyphen"])] == [token]


def test_form_that_an_earlier_rule_gave_is_not_looked_up_again():
    assert [(form.text, form.rule) for form in forms_of("word", RULES)] == [
        ("word", 0), ("Word", 2), ("WORD", 3),
    ]  # fmt: skip


@given(st.text(max_size=12), st.permutations(RULES))
def test_any_token_has_forms_by_any_rules(token, rules):
    forms = list(forms_of(token, rules))
    assert all(0 <= form.part < form.parts for form in forms)
    assert [form.rule for form in forms] == sorted(form.rule for form in forms)


def _served(lookup, form: bytes) -> list[tuple[int, int, int, int]]:
    number = lookup.forms[form]
    entries = slice(lookup.starts[number], lookup.starts[number + 1])
    columns = (lookup.rows, lookup.rules, lookup.part, lookup.parts)
    return sorted(zip(*(column[entries].tolist() for column in columns), strict=True))


def test_lookup_tells_which_rows_a_form_serves_and_by_which_rule():
    vocabulary = pa.array(["[PAD]", "[UNK]", "The", "the", "x-ray", "unk"])
    lookup = make_lookup(vocabulary, ["exact", "lower", "hyphen"], ["<unk>", "unk"])
    assert _served(lookup, b"the") == [(2, 1, 0, 1), (3, 0, 0, 1)]
    assert _served(lookup, b"x") == [(4, 2, 0, 2)]
    assert _served(lookup, b"ray") == [(4, 2, 1, 2)]
    assert _served(lookup, b"<unk>") == [(1, 0, 0, 1)]
    assert _served(lookup, b"unk") == [(1, 1, 0, 1), (5, 0, 0, 1)]
    assert b"[UNK]" not in lookup.forms
    assert b"[PAD]" not in lookup.forms


def test_vocabulary_without_words_has_an_empty_lookup():
    lookup = make_lookup(pa.array(["[PAD]", "[UNK]"]), ["exact"], [])
    assert lookup.forms == {}
    assert lookup.rows.tolist() == []
