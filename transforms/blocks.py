"""How blocks travel between Beam's stages: Arrow's IPC stream format, never pickle."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from apache_beam import coders


class RecordBatchCoder(coders.Coder):
    """Codes a ``pyarrow.RecordBatch`` as an Arrow IPC stream of that one batch."""

    def encode(self, value: Any) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write_batch(value)
        return bytes(sink.getvalue())

    def decode(self, encoded: bytes) -> Any:
        with pa.ipc.open_stream(pa.py_buffer(encoded)) as reader:
            return reader.read_next_batch()

    def is_deterministic(self) -> bool:
        return False

    def to_type_hint(self) -> Any:
        return pa.RecordBatch


coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)
