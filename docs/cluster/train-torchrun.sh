#!/bin/bash
# Trains the profile `full` on several machines. On each of them, in the project's folder, which all share at the same
# path, with its environment in ./.venv (open-ml-embed[train]), say how many machines there are, which one this is, from
# 0 on, and the address of machine 0:
#     NODES=4 NODE=0 HEAD=10.0.0.1 docs/cluster/train-torchrun.sh
# GPUS is the number of GPUs of a machine (8), PORT a free port of machine 0 (29500). Options of `train3d fit` may follow.
set -eu
. .venv/bin/activate
exec torchrun --nnodes "$NODES" --node-rank "$NODE" --nproc-per-node "${GPUS:-8}" \
    --master-addr "$HEAD" --master-port "${PORT:-29500}" --no-python train3d fit --profile full "$@"
