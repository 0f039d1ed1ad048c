#!/usr/bin/env bash
# Runs the tests, after making their environments in .venv and .venv-dataflow. Arguments go to pytest.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/scripts/environment.sh"

cd "$root"
tests/dataflow/environment.sh
exec "$venv/bin/python" tests/network_guard/offline.py "$venv/bin/python" -m pytest "$@"
