"""``--vectors`` taken apart: what is a path, what a member, what an option."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import UsageError
from formats.vectors.spec import OPTIONS, parse_spec

SPECS = {
    "glove.txt": ("glove.txt", "", {}),
    "a#b.txt": ("a#b.txt", "", {}),
    "a#b.zip#c#d.txt": ("a#b.zip", "c#d.txt", {}),
    "m.npy?tokens=m.words": ("m.npy", "", {"tokens": "m.words"}),
    "gs://b/m.npy?tokens=gs://b/w.txt": ("gs://b/m.npy", "", {"tokens": "gs://b/w.txt"}),
    "m.zip#m.npy?tokens=w.txt": ("m.zip", "m.npy", {"tokens": "w.txt"}),
    "m?tokens=w&tensor=a.b": ("m", "", {"tokens": "w", "tensor": "a.b"}),
    "m?tokens=a=b&c.txt": ("m", "", {"tokens": "a=b&c.txt"}),
    "t?token_column=a b&vector_column=?": ("t?token_column=a b&vector_column=?", "", {}),
    "t?token_column=a b&vector_column=v": ("t", "", {"token_column": "a b", "vector_column": "v"}),
    "what?.txt": ("what?.txt", "", {}),
    "what?.npy?tokens=w": ("what?.npy", "", {"tokens": "w"}),
    "http://x/y?key=1": ("http://x/y?key=1", "", {}),
    "m.npy?": ("m.npy?", "", {}),
    "m.npy?tokens": ("m.npy?tokens", "", {}),
    "tokens=w": ("tokens=w", "", {}),
}


@pytest.mark.parametrize(("text", "parts"), SPECS.items(), ids=SPECS)
def test_a_spec_has_parts(text: str, parts: tuple[str, str, dict[str, str]]) -> None:
    spec = parse_spec(text)
    assert (spec.path, spec.member, spec.options) == parts
    assert spec.text == text
    query = "&".join(f"{key}={value}" for key, value in spec.options.items())
    assert spec.place + ("?" + query if query else "") == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("m?tokens=w&tensr=a", "unknown key tensr; the keys are tokens, tensor, token_column, vec"),
        ("m?tokens=", "tokens= has no value"),
        ("m?tokens=a&tokens=b", "tokens= comes twice"),
    ],
)
def test_an_option_that_cannot_be_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_spec(text)
    assert str(caught.value).startswith(f"--vectors {text}: {says}")


def test_an_option_of_another_kind_of_file_is_refused() -> None:
    spec = parse_spec("m?tokens=w&tensor=a")
    spec.demand_options("a safetensors file", "tokens", "tensor")
    with pytest.raises(UsageError, match="tensor= is for safetensors files, and the file is a Num"):
        spec.demand_options("a NumPy .npy array", "tokens")


@given(
    st.text("a?&=#. zp", max_size=12), st.sampled_from(list(OPTIONS)), st.text("a=.", min_size=1)
)
def test_any_path_can_have_an_option(path: str, key: str, value: str) -> None:
    spec = parse_spec(f"{path}?{key}={value}")
    assert spec.options == {key: value}
    assert spec.place == path
