"""Installs what the tests of object stores need: ``.venv/bin/python tests/stores/fetch.py``.

Needs the network, pip and Go, once; the tests need none of them. What is installed stands outside
of the checkout, in ${XDG_CACHE_HOME:-~/.cache}/embprep-engines/stores, under names that tell its
versions. The Python packages are not in .venv because Beam imports what it finds of them, which
makes every start of embprep slower.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# By what is in tests/stores/packages: the two extras of embprep, and a server of S3.
PACKAGES = ("s3", "gcs", "moto")
# Module and version, built by Go.
SERVERS = {
    "versitygw": ("github.com/versity/versitygw/cmd/versitygw", "v1.8.0"),
    "fake-gcs-server": ("github.com/fsouza/fake-gcs-server", "v1.56.1"),
}

_LISTS = Path(__file__).parent / "packages"
_PYTHON = f"py{sys.version_info[0]}.{sys.version_info[1]}"


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "embprep-engines", "stores")


def _packages_place(name: str) -> Path:
    digest = hashlib.sha256((_LISTS / f"{name}.txt").read_bytes()).hexdigest()
    return _cache() / f"{name}-{_PYTHON}-{digest[:12]}"


def _server_place(name: str) -> Path:
    return _cache() / f"{name}-{SERVERS[name][1]}"


def packages(name: str) -> Path:
    """The folder of an installed list of packages, for PYTHONPATH."""
    return _installed(_packages_place(name))


def server(name: str) -> Path:
    """The program of an installed server."""
    return _installed(_server_place(name)) / name


def _installed(place: Path) -> Path:
    if not place.is_dir():
        raise RuntimeError(f"{place} is not there: run .venv/bin/python tests/stores/fetch.py")
    return place


def _install_packages(name: str, place: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    listed = ["--no-deps", "--require-hashes", "-r", str(_LISTS / f"{name}.txt")]
    subprocess.run([*pip, *listed, "--target", str(place)], check=True)


def _build_server(name: str, place: Path) -> None:
    module, version = SERVERS[name]
    environment = {**os.environ, "GOBIN": str(place)}
    subprocess.run(["go", "install", f"{module}@{version}"], env=environment, check=True)


def main() -> None:
    """Installs what is not there yet."""
    steps = [(_packages_place(name), _install_packages, name) for name in PACKAGES]
    steps += [(_server_place(name), _build_server, name) for name in SERVERS]
    for place, install, name in steps:
        if place.is_dir():
            continue
        print(f"Installing {place}", file=sys.stderr, flush=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        # Moved there when it is whole, so that what was cut short is done again.
        new = Path(tempfile.mkdtemp(dir=place.parent))
        try:
            install(name, new)
            new.rename(place)
        except BaseException:
            shutil.rmtree(new)
            raise


if __name__ == "__main__":
    main()
