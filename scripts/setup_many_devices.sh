#!/bin/sh
# Make an environment with DeepSpeed and Ray, for the tests marked `deepspeed` and `ray`, which train with two
# processes on the CPU:
#
#     scripts/setup_many_devices.sh [ENVIRONMENT] [BASE] [pip options ...]  (default: .venv-devices, .venv)
#
# It sees the packages of the training environment BASE, and adds its own. Needs a C++ compiler: DeepSpeed compiles
# its communication between processes of one machine, once, into ~/.cache/torch_extensions (some minutes).
set -eu

environment=.venv-devices
base=.venv
for name in environment base; do
    case "${1:-}" in
    "" | -*) break ;;
    esac
    eval "$name=\$1"
    shift
done
root=$(cd "$(dirname "$0")/.." && pwd)
command -v c++ >/dev/null || { echo "no C++ compiler here; on Debian and Ubuntu: apt install g++" >&2; exit 1; }
packages=$("$base/bin/python" -c "import sysconfig; print(sysconfig.get_paths()['purelib'])")

"$base/bin/python" -m venv "$environment"
environment=$(cd "$environment" && pwd)
python=$environment/bin/python
printf '%s\n' "$packages" "$root" >"$("$python" -c "import sysconfig; print(sysconfig.get_paths()['purelib'])")/base.pth"
# LLaMA-Factory starts torchrun by its name; this one has the packages of both.
printf '#!%s\nfrom torch.distributed.run import main\n\nmain()\n' "$python" >"$environment/bin/torchrun"
chmod +x "$environment/bin/torchrun"

pip() { "$python" -m pip --quiet --disable-pip-version-check "$@"; }
pip install wheel ninja "$@"
# Without isolation, since its installation asks the installed torch; its other parts are not compiled.
DS_BUILD_OPS=0 pip install --no-build-isolation "deepspeed==0.18.4" "ray[default]==2.60.0" "packaging<26" "$@"
PATH="$environment/bin:$PATH" DS_ACCELERATOR=cpu "$python" -c \
    "from deepspeed.ops.op_builder.cpu import ShareMemCommBuilder; ShareMemCommBuilder().load(verbose=False)"

echo "$environment is ready: make test-devices"
