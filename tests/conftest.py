"""Fixtures of all tests, and the guard that keeps them off the network.

Three layers, since none of them covers everything:

* an audit hook in this process (``network_guard/network_guard.py``): proves that no test uses
  the network through Python's sockets;
* the same hook in every Python process that a test starts, Beam's workers too: the folder
  ``network_guard`` is put on PYTHONPATH, where Python finds its ``sitecustomize.py``;
* ``run_tests.sh`` starts pytest in a network namespace that has only the loopback, where the
  machine permits it (``network_guard/offline.py``): proves it for C libraries as well.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NETWORK_GUARD = ROOT / "tests" / "network_guard"

sys.path.insert(0, str(NETWORK_GUARD))

import network_guard  # noqa: E402  (found through the line above)
import offline  # noqa: E402

network_guard.install()
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(NETWORK_GUARD), os.environ.get("PYTHONPATH")])
)


def pytest_report_header() -> str:
    if offline.MARK in os.environ:
        return "network: none (loopback only, by the kernel)"
    return "network: guarded in Python (for the kernel's guard use run_tests.sh)"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real corpora and vector files, which stand beside the repository and not in it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real files are not here: no folder ../shared/data")
    return folder


@pytest.fixture(scope="session")
def gensim_data() -> Callable[[str], Path]:
    """Path of a corpus or vector file that gensim's wheel carries, by its name."""
    from gensim.test.utils import datapath

    def path(name: str) -> Path:
        found = Path(datapath(name))
        assert found.exists(), f"gensim's wheel no longer carries {name}"
        return found

    return path
