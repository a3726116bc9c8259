#!/usr/bin/env bash
# All that is to be known of a GPU, in nine minutes: the most valuable first, each part with its own limit, and a line as
# soon as a number is known.
#
#     benchmarks/gpu.sh [--rehearse]
#
# It needs the checkout, the machine's own torch, and what of our dependencies the machine lacks as wheels in the folder
# `wheels` of the checkout. CIFAR-10 for R3GAN lies in $CIFAR10, in the form that CIFAR10DataModule reads. --rehearse runs
# the same parts on a CPU with tiny networks, to find mistakes before there is a GPU.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

python="${PYTHON:-python3}"
most=540 # seconds, all parts together
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
times=1
if [[ " $* " == *" --rehearse "* ]]; then
    # A CPU compiles for minutes, and by another compiler; and it may be busy, where a part cut off finds no mistake.
    export TORCH_COMPILE_DISABLE=1
    times=10
fi
export PYTHONUNBUFFERED=1 PYTHONPATH="$PWD:$site${PYTHONPATH:+:$PYTHONPATH}"

# part LIMIT NAME COMMAND...: run a part within its limit and what is left of the whole.
part() {
    local limit=$(($1 * times)) name=$2 left=$((most * times - SECONDS)) code=0
    shift 2
    ((limit < left)) || limit=$left
    if ((limit < 5)); then
        echo "$name: no time is left"
        return
    fi
    timeout --kill-after=5 "$limit" "$@" || code=$?
    case $code in
    0) ;;
    124 | 137) echo "$name: cut off after $limit s" ;;
    *) echo "$name: failed with code $code" ;;
    esac
}

if compgen -G 'wheels/*.whl' >/dev/null; then
    part 30 wheels "$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --target "$site" wheels/*.whl
fi
part 60 waits "$python" -m benchmarks gpu waits "$@"
part 70 dcgan "$python" -m benchmarks gpu speed DCGAN "$@"
part 70 pix2pix "$python" -m benchmarks gpu speed Pix2Pix "$@"
part 70 sngan "$python" -m benchmarks gpu speed SNGAN "$@"
part 70 stylegan2 "$python" -m benchmarks gpu speed StyleGAN2 "$@"
part 150 r3gan "$python" -m benchmarks gpu train R3GAN "$@"
echo "done after $SECONDS s"
