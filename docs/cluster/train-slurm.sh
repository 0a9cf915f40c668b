#!/bin/bash
# `sbatch docs/cluster/train-slurm.sh` trains the profile `full` on four nodes with eight GPUs each, one task a GPU. The
# project lies on the file system that all nodes share, at the same path, and its environment is ./.venv with
# open-ml-embed[train]. Ten minutes before its time is over, the tasks get SIGTERM: they save a checkpoint after the
# present step and end with 143, and the job is handed in again, to go on from there.
#SBATCH --job-name=train3d
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=12
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@600
#SBATCH --requeue
set -eu

cd "$SLURM_SUBMIT_DIR"
. .venv/bin/activate

# Once for all processes; what is finished is not done again.
srun --nodes=1 --ntasks=1 train3d tokenize --profile full --workers "$SLURM_CPUS_PER_TASK"

export MASTER_ADDR="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"
export MASTER_PORT="$((20000 + SLURM_JOB_ID % 20000))"
export WORLD_SIZE="$SLURM_NTASKS"
status=0
srun bash -c 'RANK="$SLURM_PROCID" LOCAL_RANK="$SLURM_LOCALID" exec train3d fit --profile full' || status=$?
if [ "$status" = 143 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
