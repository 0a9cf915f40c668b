#!/bin/bash
# `sbatch docs/cluster/slurm.sh` builds the profile `full` on four nodes. The project lies on the file system that all
# nodes share, at the same path, and its environment is ./.venv with open-ml-embed[build,ray,report].
#SBATCH --job-name=open-ml-embed
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --mem-per-cpu=4G
#SBATCH --time=24:00:00
#SBATCH --requeue
set -eu

cd "$SLURM_SUBMIT_DIR"
. .venv/bin/activate
export TMPDIR="${SLURM_TMPDIR:-/tmp}"
export RAY_AUTH_MODE=token # other users of a node cannot use the cluster
ray get-auth-token --generate > /dev/null # ~/.ray/auth_token, in the home that the nodes share

nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
head="$(srun --nodes=1 --ntasks=1 -w "${nodes[0]}" hostname --ip-address | awk '{print $1}')"

start() { # node, options of `ray start`
    srun --nodes=1 --ntasks=1 -w "$1" ray start "${@:2}" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
}
start "${nodes[0]}" --head --node-ip-address="$head" --port=6379
sleep 30
for node in "${nodes[@]:1}"; do
    start "$node" --address="$head:6379"
done
sleep 30

# A job that is killed or runs out of time is handed in again: finished shards are kept.
for step in fetch normalize identify measure dedup decontaminate mine "mix retrieval" "mix instruction"; do
    curate $step --profile full --engine ray --ray-address "$head:6379"
done
curate report --profile full
