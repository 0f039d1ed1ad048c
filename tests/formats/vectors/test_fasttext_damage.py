"""Damage of fastText models is named with its place; what can't be read rightly is refused."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import DataError
from formats.vectors.fasttext_bin import (
    read_dictionary,
    read_head,
)
from formats.vectors.subwords import add_rows, new_sums, plan_rows
from tests.formats.vectors.fasttext_models import (
    SMALL,
    WORDS,
    OneWay,
    Sample,
    read_model,
)


def test_the_quantised_model_of_facebook_is_refused_by_name(shared_data: Path) -> None:
    with (shared_data / "vectors" / "lid.176.ftz").open("rb") as stream:
        assert read_head(stream, name="lid").words == 7235
        stream.seek(0)
        with pytest.raises(DataError, match=r"lid: a quantised fastText model.*use the \.bin"):
            read_dictionary(stream, set(), name="lid")


@pytest.mark.parametrize("pruned", [0, 5])
def test_a_pruned_model_is_refused_by_name(pruned: int) -> None:
    with pytest.raises(DataError, match=r"a pruned fastText model.*use the \.bin"):
        read_model(SMALL._replace(pruned=pruned).data(), [b"the"])


@pytest.mark.parametrize(
    "model", [SMALL, SMALL._replace(version=10), SMALL._replace(pruned=3, quantised=1)]
)
def test_every_truncation_fails_with_the_file_and_the_place(model: Sample) -> None:
    data = model.data()
    for size in range(len(data)):
        with pytest.raises(DataError, match=r"^file: ") as caught:
            read_model(data[:size], WORDS)
        assert "byte" in str(caught.value) or "quantised" in str(caught.value)
        with pytest.raises(DataError, match=r"^file: "):
            read_one_way(data[:size])
    with pytest.raises(DataError, match="quantised|end of the file"):
        read_model(data + b"\0", WORDS)


def read_one_way(data: bytes) -> None:
    """Reads all of a model of which only the reading can tell how long it is."""
    dictionary = read_dictionary(OneWay(io.BytesIO(data)), set(WORDS), name="file")
    model = dictionary.model
    plan = plan_rows(model.head, WORDS, dictionary.ids)
    sums = new_sums(model, plan)
    add_rows(OneWay(io.BytesIO(data)), model, plan, 0, model.rows, sums, name="file")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dim": 0}, r"byte 64: expected 1 to 65535 dimensions, found 0"),
        ({"dim": 2**31 - 1}, "expected 1 to 65535 dimensions"),
        ({"size": -1}, "as many entries as words and labels"),
        ({"words": -4, "labels": 10}, "as many entries as words and labels"),
        ({"size": 7}, "as many entries as words and labels"),
        ({"size": 5, "labels": 1}, "expected a flag, 0 or 1"),
        ({"words": 5, "labels": 1}, r"dictionary entry 5, byte \d+: expected an entry of type 0"),
        ({"words": 3, "labels": 3}, r"dictionary entry 1, byte \d+: expected an entry of type 1"),
        ({"size": 2**31 - 1, "words": 2**31 - 3}, "dictionary entry 5"),
        ({"rows": 2**62}, "expected an input matrix of 11 x 3, found 4611686018427387904 x 3"),
        ({"columns": -3}, "expected an input matrix of 11 x 3, found 11 x -3"),
        ({"dim": 4}, "expected an input matrix of 11 x 4, found 11 x 3"),
        ({"output_rows": -1}, "an output matrix of 3 columns, found -1 x 3"),
        ({"output_columns": 9}, "an output matrix of 3 columns, found 2 x 9"),
        ({"output_rows": 2**60}, "found 24 bytes"),
        ({"output_rows": 1}, "expected the 12 bytes of the output matrix"),
    ],
)
def test_wrong_sizes_are_found(changes: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_model(SMALL.data(**changes), WORDS)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"loss": 9}, "expected a loss, 1 to 4, found 9"),
        ({"kind": 0}, "expected a kind of model, 1 to 3, found 0"),
        ({"bucket": -1}, "bucket, minn and maxn"),
        ({"minn": -1}, "bucket, minn and maxn"),
        ({"maxn": -1}, "bucket, minn and maxn"),
        ({"version": 13}, "version 11 or 12, found version 13"),
        ({"quantised": 2}, "expected a flag, 0 or 1, before the input matrix, found 2"),
        ({"bucket": 8}, "expected an input matrix of 12 x 3"),
        ({"pruned": -2}, "-2 pruned"),
    ],
)
def test_wrong_arguments_are_found(fields: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_model(SMALL._replace(**fields).data(), WORDS)


def test_a_dictionary_without_an_end_is_not_read_into_memory() -> None:
    data = SMALL.data()
    head = read_head(io.BytesIO(data), name="file").head_bytes
    with pytest.raises(DataError, match="dictionary entry 1, byte 92: expected a word"):
        read_model(data[:head] + b"x" * (5 << 20), WORDS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1024.0, -3e38])
def test_a_needed_value_that_is_no_number_or_diverged_is_found(value: float) -> None:
    matrix = SMALL.matrix.copy()
    matrix[5, 1] = value
    data = SMALL._replace(matrix=matrix).data()
    message = r"file: input matrix row 5, byte \d+: expected (finite values|values below 1024)"
    with pytest.raises(DataError, match=message):
        read_model(data, [b"the", b"quick", b"brown", b"foxes"])
    assert read_model(data, [b"</s>"]).matrix.tobytes() == SMALL.matrix[0].tobytes()


@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_are_an_error_with_a_name(data: bytes, signed: bool) -> None:
    start = SMALL.data()[: 92 if signed else 40]
    with pytest.raises(DataError, match="^file: "):
        read_model(start + data, WORDS)


@given(st.integers(0, len(SMALL.data()) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_or_a_documented_error(place: int, value: int) -> None:
    data = bytearray(SMALL.data())
    data[place] = value
    with contextlib.suppress(DataError):
        read_model(bytes(data), WORDS)
