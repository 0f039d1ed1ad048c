"""How blocks travel between Beam's stages: Arrow's IPC stream format, never pickle."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from apache_beam import coders

# Engines keep what they shuffle in memory, several times over at its peak. The lowest level makes
# a third of token ids or of floats as text, at some 250 MB/s; the bits of floats hardly shrink.
_PACKED = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 1), use_threads=False)
# To compress a few columns takes as long for some rows as for hundreds, and gains less.
_LEAST_PACKED = 16 << 10
_PLAIN = pa.ipc.IpcWriteOptions(use_threads=False)
_READ_OPTIONS = pa.ipc.IpcReadOptions(use_threads=False)


class RecordBatchCoder(coders.Coder):
    """Codes a ``pyarrow.RecordBatch`` as an Arrow IPC stream of that one batch.

    It is compressed, unless it holds vectors, or little.
    """

    def encode(self, value: Any) -> bytes:
        sink = pa.BufferOutputStream()
        floats = any(pa.types.is_fixed_size_list(field.type) for field in value.schema)
        options = _PLAIN if floats or value.nbytes < _LEAST_PACKED else _PACKED
        with pa.ipc.new_stream(sink, value.schema, options=options) as writer:
            writer.write_batch(value)
        return bytes(sink.getvalue())

    def decode(self, encoded: bytes) -> Any:
        with pa.ipc.open_stream(pa.py_buffer(encoded), options=_READ_OPTIONS) as reader:
            return reader.read_next_batch()

    def estimate_size(self, value: Any) -> int:
        # Beam's own way is to encode the value once more.
        return int(value.nbytes)

    def is_deterministic(self) -> bool:
        return False

    def to_type_hint(self) -> Any:
        return pa.RecordBatch


coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)
