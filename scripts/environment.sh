# shellcheck shell=bash
# Makes .venv with everything that requirements.lock names and with this project, or leaves it
# alone when it is up to date. To be sourced; sets `root` and `venv`.
#
# The Python is $PYTHON if that is set, else python3.11, else another one that is supported.
# A stamp is written only after its step has ended well, so a step that was cut short is done
# again: the first for the locked packages, in a .venv made anew, the second for the project.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.venv"

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3 python3.12 python3.13 python3.10; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' \
            2>/dev/null; then
            echo "$candidate"
            return
        fi
        if [[ "$candidate" == "${PYTHON:-}" ]]; then
            echo "PYTHON=$candidate is not a Python from 3.10 to 3.13" >&2
            return 1
        fi
    done
    echo "No Python from 3.10 to 3.13 was found: install Python 3.11, or set PYTHON to one" >&2
    return 1
}

# Prints what an installation depends on: the interpreter, the folder, the files given.
fingerprint() {
    "$1" - "$venv" "${@:2}" <<'PYTHON'
import hashlib
import pathlib
import sys

contents = (pathlib.Path(name).read_bytes() for name in sys.argv[2:])
print(sys.version, sys.base_prefix, sys.argv[1], hashlib.sha256(b"\0".join(contents)).hexdigest())
PYTHON
}

install_packages() {
    local python="$1" stamp="$venv/packages.stamp" wanted
    wanted="$(fingerprint "$python" "$root/requirements.lock")" || return
    if [[ "$(cat "$stamp" 2>/dev/null)" == "$wanted" ]]; then
        return
    fi
    echo "Installing the packages of requirements.lock into $venv: this takes minutes, once"
    "$python" -m venv --clear "$venv" &&
        pip_install --require-hashes -r "$root/requirements.lock" &&
        echo "$wanted" >"$stamp"
}

install_project() {
    local python="$1" stamp="$venv/project.stamp" wanted
    wanted="$(fingerprint "$python" "$root/pyproject.toml" "$root/setup.py")" || return
    if [[ "$(cat "$stamp" 2>/dev/null)" == "$wanted" ]]; then
        return
    fi
    # The locked setuptools builds it, so nothing more is downloaded.
    pip_install --no-deps --no-build-isolation --editable "$root" &&
        echo "$wanted" >"$stamp"
}

# Shows the progress of pip to people only.
pip_install() {
    local quiet="--quiet"
    if [[ -t 2 ]]; then quiet=""; fi
    "$venv/bin/python" -m pip install --disable-pip-version-check $quiet "$@"
}

make_environment() {
    local python
    python="$(find_python)" && install_packages "$python" && install_project "$python"
}

make_environment >&2
