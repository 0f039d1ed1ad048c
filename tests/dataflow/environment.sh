#!/usr/bin/env bash
# Makes .venv-dataflow, or leaves it alone when it is up to date: what the image of the workers
# has, installed as the Dockerfile installs it, and the servers and tools of tests/dataflow. Apart
# from .venv, since Beam's packages for Google Cloud make each import of Beam slower.
#
# The Python is that of .venv, which scripts/environment.sh makes. A stamp is written only after
# all has ended well, so a making that was cut short is done again.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
venv="$root/.venv-dataflow"
locks=("$root/requirements-dataflow.lock" "$root/tests/dataflow/tools.lock")

wanted="$("$root/.venv/bin/python" -c 'import sys; print(sys.version, *sys.argv[1:])' "$venv")
$(cat "${locks[@]}" | cksum)"
if [[ "$(cat "$venv/stamp" 2>/dev/null)" == "$wanted" ]]; then
    exit
fi
echo "Installing the packages of the Dataflow tests into $venv" >&2
"$root/.venv/bin/python" -m venv --clear "$venv"
# Compiled when they are imported: most of them never are.
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet --require-hashes --no-deps \
    --no-compile "${locks[@]/#/--requirement=}" >&2
echo "$wanted" >"$venv/stamp"
