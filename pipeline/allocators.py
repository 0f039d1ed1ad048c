"""What happens to memory that is freed: what is kept for blocks to come, what goes back."""

from __future__ import annotations

import contextlib
import ctypes

# Of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


def keep_freed_memory() -> None:
    """Tells glibc to keep some freed memory for blocks to come.

    By itself it gives blocks of more than 128 KiB back to the system, which clears each of their
    pages when it gives them out again, which a build that moves many blocks would wait for.
    """
    _mallopt(_MMAP_THRESHOLD, 8 << 20)
    _mallopt(_TRIM_THRESHOLD, 32 << 20)


def share_freed_memory() -> None:
    """Has what one thread or library frees serve the others, and go back to the system soon.

    For a process with a bound on its memory. Arrow and each of gRPC's threads would keep what
    they have freed for themselves, which in the end is several times what is in use.
    """
    import pyarrow as pa  # takes time that not every command has to take

    keep_freed_memory()
    _mallopt(_ARENA_MAX, 2)
    pa.set_memory_pool(pa.system_memory_pool())


def _mallopt(parameter: int, value: int) -> None:
    with contextlib.suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(parameter, value)
