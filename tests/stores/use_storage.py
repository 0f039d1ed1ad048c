"""Makes each kind of request to a store, and finds there what it put: ``use_storage URI BLOCKS``.

BLOCKS is the size of the largest object, in pieces of 256 KiB.
"""

from __future__ import annotations

import sys

from transforms.storage import (
    create_file,
    create_new,
    delete,
    exists,
    match_files,
    open_file,
    read_file,
)


def use_storage(folder: str, blocks: int) -> None:
    assert create_new(f"{folder}/new", b"one")
    assert not create_new(f"{folder}/new", b"two")
    assert read_file(f"{folder}/new") == b"one"
    delete(f"{folder}/new")
    data = bytes(range(256)) * (blocks << 10)
    for size in (0, len(data)):
        with create_file(f"{folder}/file") as file:
            file.write(data[:size])
    with open_file(f"{folder}/file") as stream:
        assert stream.read(100) == data[:100]
        stream.seek(500_000)
        assert stream.read() == data[500_000:]
    assert [file.size for file in match_files(f"{folder}/*")] == [len(data)]
    delete(folder)
    assert not exists(f"{folder}/file")


if __name__ == "__main__":
    use_storage(sys.argv[1], int(sys.argv[2]))
