"""Examples: padding, and the wire format of ``tf.train.Example``.

An example is written as protobuf's deterministic serialisation writes it (features sorted by
name, integers packed), by NumPy for a block at a time. It is read with protobuf's own classes,
for messages declared here as far as integers go, after TensorFlow's ``feature.proto`` and
``example.proto`` (https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core/example).
They are in a pool of their own, so that TensorFlow can be loaded beside them.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from formats.dataset.manifest import Feature
from formats.dataset.vocabulary import PAD_ID
from formats.errors import DataError, damaged

# In the order of their bytes, which is how deterministic serialisation sorts them.
LABEL, LENGTH, TOKEN_IDS = "label", "length", "token_ids"
POST, PRE = "post", "pre"

Integers = npt.NDArray[np.integer[Any]]

# Ids encoded in one go: their intermediate arrays fit a CPU's cache.
_BLOCK_IDS = 1 << 16
_END_OF_IDS = 1 << 32


class ParsedExamples(NamedTuple):
    """A block of examples: int64 [n, max_length], [n] and [n]; ``labels`` None without."""

    token_ids: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64] | None


def example_features(max_length: int, *, labelled: bool) -> dict[str, Feature]:
    """The features of an example, as the manifest names them."""
    features = {TOKEN_IDS: Feature("int64", [max_length]), LENGTH: Feature("int64", [])}
    return features | ({LABEL: Feature("int64", [])} if labelled else {})


def pad_sequences(
    ids: Any, max_length: int, padding: str = POST, truncating: str = POST
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Brings lists of token ids to one length, as Keras' ``pad_sequences`` does.

    Args:
        ids: ``pa.ListArray`` of int32, without nulls; may be a slice.
        max_length: ids of a row.
        padding: ``post`` or ``pre``, where shorter lists are filled up with the id of [PAD].
        truncating: ``post`` or ``pre``, where longer lists are cut.

    Returns:
        int32 [n, max_length], and int64 [n], the ids of each row that are no padding.
    """
    offsets = ids.offsets.to_numpy().astype(np.int64)
    values = ids.values.to_numpy()
    lengths = np.minimum(np.diff(offsets), max_length)
    starts = offsets[:-1] if truncating == POST else offsets[1:] - lengths
    columns = np.arange(max_length)
    if padding == POST:
        filled = columns < lengths[:, None]
    else:
        filled = columns >= max_length - lengths[:, None]
    rows = np.full(filled.shape, PAD_ID, np.int32)
    total = int(lengths.sum())
    # Place of each kept id: its list's start, and behind it its rank in the list.
    ends = np.cumsum(lengths)
    places = np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
    rows[filled] = values[places]
    return rows, lengths


def serialize_examples(
    token_ids: Integers, lengths: Integers, labels: Integers | None
) -> list[bytes]:
    """Serialises a block of examples.

    Args:
        token_ids: [n, max_length].
        lengths: [n].
        labels: [n]; None for examples without a label.

    Raises:
        ValueError: a number is no integer from 0 to 2**32 - 1.
    """
    singles = [(LENGTH, lengths)] if labels is None else [(LABEL, labels), (LENGTH, lengths)]
    for name, values in [(TOKEN_IDS, token_ids), *singles]:
        if values.dtype.kind not in "iu":
            raise ValueError(f"{name}: expected integers, got {values.dtype}")
        if values.size and not 0 <= values.min() <= values.max() < _END_OF_IDS:
            raise ValueError(f"{name}: expected numbers from 0 to {_END_OF_IDS - 1}")
    entries = (map(_integer_entry, itertools.repeat(name), values.tolist())
               for name, values in singles)  # fmt: skip
    records = []
    for single_entries, packed in zip(
        zip(*entries, strict=True), _packed_rows(token_ids), strict=True
    ):
        body = b"".join((*single_entries, _entry_head(TOKEN_IDS, len(packed)), packed))
        records.append(_field(1, len(body)) + body)
    return records


def _packed_rows(token_ids: Integers) -> Iterator[bytes]:
    """Yields each row as varints: 7 bits a byte, low bits first, the top bit for more."""
    rows, max_length = token_ids.shape
    step = max(1, _BLOCK_IDS // max(1, max_length))
    for first in range(0, rows, step):
        ids = token_ids[first : first + step].astype(np.uint32)
        width = max(1, -(-int(ids.max(initial=0)).bit_length() // 7))
        sizes = np.ones(ids.shape, np.uint8)
        for byte in range(1, width):
            sizes += ids >= 1 << 7 * byte
        septets = np.empty((*ids.shape, width), np.uint8)
        used = np.empty(septets.shape, bool)
        for byte in range(width):
            more = (sizes > byte + 1).astype(np.uint8) << 7
            septets[..., byte] = (ids >> np.uint32(7 * byte)).astype(np.uint8) & 0x7F | more
            used[..., byte] = sizes > byte
        packed = septets[used].tobytes()
        ends = np.cumsum(sizes.sum(axis=1, dtype=np.int64)).tolist()
        for start, end in zip([0, *ends], ends, strict=False):
            yield packed[start:end]


@functools.lru_cache(maxsize=1 << 14)
def _integer_entry(name: str, value: int) -> bytes:
    """The map entry of a feature that is one integer."""
    packed = _varint(value)
    return _entry_head(name, len(packed)) + packed


@functools.lru_cache(maxsize=1 << 14)
def _entry_head(name: str, packed_bytes: int) -> bytes:
    """All of a map entry of ``Features.feature`` but the packed integers that end it."""
    head = b""
    # From the inside: Int64List.value, Feature.int64_list, the entry's value.
    for number in (1, 3, 2):
        head = _field(number, len(head) + packed_bytes) + head
    head = _field(1, len(name)) + name.encode() + head
    return _field(1, len(head) + packed_bytes) + head


@functools.lru_cache(maxsize=1 << 14)
def _field(number: int, length: int) -> bytes:
    """Tag and length of a field that holds ``length`` bytes (wire type 2)."""
    return bytes([number << 3 | 2]) + _varint(length)


def _varint(value: int) -> bytes:
    septets = bytearray()
    while value > 0x7F:
        septets.append(value & 0x7F | 0x80)
        value >>= 7
    septets.append(value)
    return bytes(septets)


def parse_examples(
    records: Sequence[bytes], max_length: int, *, labelled: bool, name: str, first_record: int = 0
) -> ParsedExamples:
    """Parses a block of examples.

    Args:
        records: serialised examples.
        max_length: ids of an example.
        labelled: whether each has a label, or none has.
        name: what messages call the file that they come from.
        first_record: the number, from 0, of the first of them in that file.

    Raises:
        DataError: a record is no example, or has other features or shapes.
    """
    sizes = {LENGTH: 1, TOKEN_IDS: max_length} | ({LABEL: 1} if labelled else {})
    values: dict[str, list[Any]] = {feature: [] for feature in sizes}
    for number, record in enumerate(records, first_record):
        try:
            features = _Example.FromString(record).features.feature
            found = {feature: features[feature].int64_list.value for feature in features}
        except DecodeError as error:
            raise _no_example(name, number, "a tf.train.Example", str(error)) from error
        shapes = {feature: len(integers) for feature, integers in found.items()}
        if shapes != sizes:
            raise _no_example(name, number, _shapes(sizes), _shapes(shapes))
        for feature, integers in found.items():
            values[feature].append(integers[:])

    def column(feature: str) -> npt.NDArray[np.int64]:
        return np.fromiter(itertools.chain.from_iterable(values[feature]), np.int64)

    return ParsedExamples(
        column(TOKEN_IDS).reshape(-1, max_length),
        column(LENGTH),
        column(LABEL) if labelled else None,
    )


def _no_example(name: str, record: int, expected: str, found: str) -> DataError:
    return damaged(
        name, f"record {record}", expected=expected, found=found, remedy="build the dataset again"
    )


def _shapes(sizes: dict[str, int]) -> str:
    return "int64 " + ", ".join(f"{feature} [{sizes[feature]}]" for feature in sorted(sizes))


def _declare_example() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="embprep/example.proto", package="embprep", syntax="proto3"
    )
    single = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    repeated = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    int64 = descriptor_pb2.FieldDescriptorProto.TYPE_INT64
    string = descriptor_pb2.FieldDescriptorProto.TYPE_STRING

    def add(message: Any, name: str, number: int, label: Any, kind: Any) -> Any:
        field = message.field.add(name=name, number=number, label=label)
        if isinstance(kind, str):
            field.type_name = f".embprep.{kind}"
            field.type = field.TYPE_MESSAGE
        else:
            field.type = kind
        return field

    add(file.message_type.add(name="Int64List"), "value", 1, repeated, int64)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    add(feature, "int64_list", 3, single, "Int64List").oneof_index = 0
    features = file.message_type.add(name="Features")
    add(features, "feature", 1, repeated, "Features.FeatureEntry")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    add(entry, "key", 1, single, string)
    add(entry, "value", 2, single, "Feature")
    add(file.message_type.add(name="Example"), "features", 1, single, "Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("embprep.Example"))


_Example = _declare_example()
