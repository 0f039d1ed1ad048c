#!/usr/bin/env bash
# Runs embprep on this machine, after making its environment in .venv.
#
#   ./run_local.sh              prepares a dataset from files that gensim's wheel carries, and
#                               trains a classifier on it; the results are in output/local
#   ./run_local.sh FLAGS ...    runs `embprep build FLAGS ...`
#   ./run_local.sh bench ...    runs the speed benchmarks, `python -m benchmarks ...`
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/scripts/environment.sh"

if [[ "${1:-}" == bench ]]; then
    cd "$root"
    exec "$venv/bin/python" -m benchmarks "${@:2}"
fi

if (($# > 0)); then
    exec "$venv/bin/embprep" build "$@"
fi

cd "$root"
gensim_data="$("$venv/bin/python" -c \
    'from gensim.test.utils import datapath; print(datapath(""))')"

# 200 sentences of film reviews; six are not UTF-8, which is more than is let pass by default.
"$venv/bin/embprep" build \
    --corpus "$gensim_data/pang_lee_polarity.cor" \
    --corpus_format fasttext \
    --max_reject_fraction 0.05 \
    --vectors "$gensim_data/pang_lee_polarity_fasttext.vec" \
    --output output/local

"$venv/bin/python" -m trainer \
    --data output/local \
    --model cnn \
    --embedding finetune \
    --epochs 5 \
    --output output/local-model
