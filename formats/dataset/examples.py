"""Examples: padding, and the wire format of ``tf.train.Example``.

An example is written as protobuf's deterministic serialisation writes it (features sorted by
name, integers packed), by Arrow and NumPy for a block at a time. It is read with protobuf's own
classes, for messages declared here as far as integers go, after TensorFlow's ``feature.proto`` and
``example.proto`` (https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core/example).
They are in a pool of their own, so that TensorFlow can be loaded beside them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from formats.dataset.manifest import Feature
from formats.dataset.vocabulary import PAD_ID
from formats.errors import DataError, damaged

# In the order of their bytes, which is how deterministic serialisation sorts them.
LABEL, LENGTH, TOKEN_IDS = "label", "length", "token_ids"
POST, PRE = "post", "pre"

Integers = npt.NDArray[np.integer[Any]]

_END_OF_IDS = 1 << 32
# Looking the varint of an id up is faster than making it. Up to here a table is at most 30 MB.
_END_OF_TABLE = 1 << 22


class ParsedExamples(NamedTuple):
    """A block of examples: int64 [n, max_length], [n] and [n]; ``labels`` None without."""

    token_ids: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64] | None


def example_features(max_length: int, *, labelled: bool) -> dict[str, Feature]:
    """The features of an example, as the manifest names them."""
    features = {TOKEN_IDS: Feature("int64", [max_length]), LENGTH: Feature("int64", [])}
    return features | ({LABEL: Feature("int64", [])} if labelled else {})


def pack_ids(token_ids: Any) -> Any:
    """Packs lists of token ids as protobuf does: the varints of a list, one after the other.

    Args:
        token_ids: ``pa.ListArray`` of integers, without nulls; may be a slice.

    Returns:
        ``pa.BinaryArray`` of its length.

    Raises:
        ValueError: an id is no integer from 0 to 2**32 - 1.
    """
    ids = token_ids.flatten().to_numpy(zero_copy_only=False)
    _check(TOKEN_IDS, ids)
    largest = int(ids.max(initial=0))
    if largest < _END_OF_TABLE:
        varints = _varint_table(1 << largest.bit_length()).take(pa.array(ids))
    else:
        varints = _varints(ids)
    ends = np.frombuffer(varints.buffers()[1], np.int32)
    lists = token_ids.offsets.to_numpy()
    # Those of a list lie side by side, so that only the bounds between the lists are to be told.
    buffers = [None, pa.py_buffer(ends[lists - lists[0]]), varints.buffers()[2]]
    return pa.Array.from_buffers(pa.binary(), len(token_ids), buffers)


def serialize_examples(
    packed_ids: Any,
    fill: Integers,
    lengths: Integers,
    labels: Integers | None,
    padding: str = POST,
) -> Any:
    """Serialises a block of examples.

    Args:
        packed_ids: ``pa.BinaryArray`` [n] of ``pack_ids``.
        fill: [n], the ids of [PAD] that each example gets besides.
        lengths: [n], the values of the feature ``length``.
        labels: [n]; None for examples without a label.
        padding: ``post`` or ``pre``, where the ids of [PAD] stand.

    Returns:
        ``pa.BinaryArray`` [n].

    Raises:
        ValueError: a number is no integer from 0 to 2**32 - 1.
    """
    _check("fill", fill)
    singles = [(LENGTH, lengths)] if labels is None else [(LABEL, labels), (LENGTH, lengths)]
    for name, values in singles:
        _check(name, values)
    filling = _by_distinct(fill, lambda ids: bytes([PAD_ID]) * ids)
    body = [
        *(_by_distinct(values, partial(_integer_entry, name)) for name, values in singles),
        _by_distinct(_byte_lengths(packed_ids) + fill, partial(_entry_head, TOKEN_IDS)),
        *((packed_ids, filling) if padding == POST else (filling, packed_ids)),
    ]
    body_bytes = np.sum([_byte_lengths(part) for part in body], axis=0)
    head = _by_distinct(body_bytes, partial(_field, 1))
    return pc.binary_join_element_wise(head, *body, b"")


def _check(name: str, values: Integers) -> None:
    if values.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected integers, got {values.dtype}")
    if values.size and not 0 <= values.min() <= values.max() < _END_OF_IDS:
        raise ValueError(f"{name}: expected numbers from 0 to {_END_OF_IDS - 1}")


@lru_cache(maxsize=2)
def _varint_table(size: int) -> Any:
    return _varints(np.arange(size))


def _varints(numbers: Integers) -> Any:
    """Varints of numbers below 2**32: 7 bits a byte, low bits first, the top bit for more."""
    numbers = numbers.astype(np.uint32)
    width = max(1, -(-int(numbers.max(initial=0)).bit_length() // 7))
    sizes = np.ones(len(numbers), np.uint8)
    for byte in range(1, width):
        sizes += numbers >= 1 << 7 * byte
    septets = np.empty((len(numbers), width), np.uint8)
    for byte in range(width):
        more = (sizes > byte + 1).astype(np.uint8) << 7
        septets[:, byte] = (numbers >> np.uint32(7 * byte)).astype(np.uint8) & 0x7F | more
    data = septets[np.arange(width) < sizes[:, None]]
    ends = np.zeros(len(numbers) + 1, np.int32)
    np.cumsum(sizes, out=ends[1:])
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(numbers), buffers)


def _by_distinct(numbers: Integers, make: Callable[[int], bytes]) -> Any:
    """What ``make`` gives for each number, called once for each distinct one."""
    encoded = pa.array(numbers).dictionary_encode()
    made = [make(number) for number in encoded.dictionary.to_pylist()]
    return pa.array(made, pa.binary()).take(encoded.indices)


def _byte_lengths(strings: Any) -> npt.NDArray[np.int64]:
    return np.asarray(pc.binary_length(strings).to_numpy(), np.int64)


@lru_cache(maxsize=1 << 14)
def _integer_entry(name: str, value: int) -> bytes:
    """The map entry of a feature that is one integer."""
    packed = _varint(value)
    return _entry_head(name, len(packed)) + packed


@lru_cache(maxsize=1 << 14)
def _entry_head(name: str, packed_bytes: int) -> bytes:
    """All of a map entry of ``Features.feature`` but the packed integers that end it."""
    head = b""
    # From the inside: Int64List.value, Feature.int64_list, the entry's value.
    for number in (1, 3, 2):
        head = _field(number, len(head) + packed_bytes) + head
    head = _field(1, len(name)) + name.encode() + head
    return _field(1, len(head) + packed_bytes) + head


@lru_cache(maxsize=1 << 14)
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
