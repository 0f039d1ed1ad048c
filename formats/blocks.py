"""Arrow schemas of the blocks that move between the stages of the job.

A block is one ``pyarrow.RecordBatch`` of a few MiB. Nothing in the job moves single rows,
lines or tokens.
"""

from __future__ import annotations

import pyarrow as pa

# Rows of a corpus as they were read. `offset` is the byte offset of the row in its
# (decompressed) file, or the row's number in a Parquet file; with `file`, the ordinal of the
# file among all corpus files, it names the row wherever the work was cut. `label` is null in
# a corpus without labels. `split` is an index into SPLITS, or -1 until the row is assigned.
TEXT = pa.schema(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("file", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("split", pa.int8(), nullable=False),
    ]
)

# The same rows after tokenisation; every row has a split.
TOKENS = pa.schema(
    [
        pa.field("tokens", pa.list_(pa.string()), nullable=False),
        pa.field("label", pa.string()),
        pa.field("file", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("split", pa.int8(), nullable=False),
    ]
)

# Rows that could not be used, as they are published in rejects-*.jsonl.
REJECTS = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("excerpt", pa.string(), nullable=False),
    ]
)

SPLITS = ("train", "validation", "test")
UNASSIGNED_SPLIT = -1

# The vocabulary, whole and in the order of the ids, with how often each token was counted.
VOCABULARY = pa.schema(
    [
        pa.field("token", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)

# Examples before padding. `token_ids` are packed as they are written, as protobuf's varints, which
# takes half the room of a list; those of a shard may be more than 2 GiB. `length` is how many they
# are. `order` sorts the examples.
EXAMPLES = pa.schema(
    [
        pa.field("token_ids", pa.large_binary(), nullable=False),
        pa.field("length", pa.int32(), nullable=False),
        pa.field("label", pa.int64()),
        pa.field("order", pa.uint64(), nullable=False),
        pa.field("file", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("split", pa.int8(), nullable=False),
    ]
)
