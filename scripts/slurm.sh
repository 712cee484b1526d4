#!/usr/bin/env bash
# A real Slurm on one machine, for tests: munge, slurmctld and several slurmd (nodes n1, n2 ...) on the loopback.
#
#     scripts/slurm.sh install            Debian's packages, with those of the accounting
#     scripts/slurm.sh up FOLDER          start it; print its nodes
#     scripts/slurm.sh node FOLDER NAME   start the daemon of one node again
#     scripts/slurm.sh down FOLDER        end it, by the pid files in FOLDER
#
# Environment of `up`:
#     SLURM_NODES=2 SLURM_CPUS=2   nodes, and the cores and pretended GPUs of each
#     SLURM_ACCOUNTING=1           slurmdbd and a MariaDB of its own, so that sacct answers
#     SLURM_MIN_JOB_AGE=300        seconds for which the controller knows ended jobs
#
# Partitions: `main`; `urgent`, which ends jobs of `main` and puts those of `scavenge` back in the queue. Memory is
# enforced where the memory cgroup (v1) can be written to; elsewhere `up` says that it is not. All daemons listen on
# the loopback alone, but slurmdbd, which cannot be bound to an address and asks for munge's credentials. Outside
# FOLDER only the link /etc/slurm/slurm.conf and cgroups are made: jobs look there, since Snakemake's executor takes
# every SLURM_ variable, SLURM_CONF too, from their environment. Services of the system are left alone. Runs as root.
set -euo pipefail

command=${1:?install, up, node or down}
if [[ $command == install ]]; then
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        slurmctld slurmd slurm-client munge slurmdbd mariadb-server
    exit 0
fi

mkdir -p "${2:?a folder}"
S=$(cd "$2" && pwd)
export SLURM_CONF=$S/slurm.conf
CGROUP=/sys/fs/cgroup/memory

# stop FILE: end the process of a pid file, and wait for its end
stop() {
    local pid
    pid=$(cat "$1" 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
}

# await COMMAND...: wait up to two minutes until a command succeeds
await() {
    for _ in $(seq 1200); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "slurm.sh: $* does not succeed; see the logs in $S/log" >&2
    return 1
}

all_idle() { [[ $(sinfo -h -p main -t idle -o %D) == "$nodes" ]]; }

# down: end all daemons that have a pid file in the folder
down() {
    if [[ -e $S/slurmctld.pid ]]; then timeout 20 scancel --user=root || true; fi
    for file in "$S"/slurmd.*.pid "$S"/{slurmctld,slurmdbd,mariadb,munged}.pid; do stop "$file"; done
    [[ $(readlink /etc/slurm/slurm.conf) != "$S/slurm.conf" ]] || rm /etc/slurm/slurm.conf
    find "$CGROUP" -mindepth 1 -depth -type d -path "$CGROUP/slurm_n*" -exec rmdir {} + 2>/dev/null || true
}

case $command in
node)
    slurmd -N "${3:?the name of a node}"
    exit 0
    ;;
down)
    down
    exit 0
    ;;
up) ;;
*)
    echo "slurm.sh: expected install, up, node or down, got $command" >&2
    exit 2
    ;;
esac

nodes=${SLURM_NODES:-2} cpus=${SLURM_CPUS:-2} age=${SLURM_MIN_JOB_AGE:-300}
unset SLURM_NODES SLURM_CPUS SLURM_MIN_JOB_AGE
if [[ -e /etc/slurm/slurm.conf && $(readlink /etc/slurm/slurm.conf) != "$S/slurm.conf" ]]; then
    echo "slurm.sh: there is a Slurm here already: /etc/slurm/slurm.conf" >&2
    exit 1
fi
trap 'code=$?; trap - EXIT; if ((code)); then down; fi; exit $code' EXIT  # nothing stays if it fails half-way
mkdir -p /etc/slurm "$S"/{state,log,run,munge}
ln -sfn "$S/slurm.conf" /etc/slurm/slurm.conf
chmod 755 "$S"
chmod 711 "$S/munge"
memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)

# The key by which the daemons know each other
if [[ ! -s $S/munge.key ]]; then
    (umask 077 && dd if=/dev/urandom bs=1 count=1024 of="$S/munge.key" 2>/dev/null)
fi
munged --force --key-file="$S/munge.key" --socket="$S/munge/socket" --pid-file="$S/munged.pid" \
    --log-file="$S/log/munged.log" --seed-file="$S/munge/seed" --num-threads=2

enforced=none
if [[ -w $CGROUP ]]; then
    enforced=cgroup
    printf '%s\n' CgroupPlugin=cgroup/v1 ConstrainRAMSpace=yes ConstrainSwapSpace=yes AllowedSwapSpace=0 >"$S/cgroup.conf"
else
    echo "slurm.sh: memory is not enforced: $CGROUP cannot be written to" >&2
fi
for n in $(seq "$cpus"); do echo "Name=gpu File=/dev/tty$n"; done >"$S/gres.conf"  # any device file will do

{
    cat <<END
ClusterName=loop
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$S/munge/socket,cred_expire=5
CredType=cred/munge
SlurmctldPort=16817
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPidFile=$S/slurmctld.pid
SlurmdPidFile=$S/slurmd.%n.pid
StateSaveLocation=$S/state
SlurmdSpoolDir=$S/run/%n
SlurmctldLogFile=$S/log/slurmctld.log
SlurmdLogFile=$S/log/slurmd.%n.log
SlurmdParameters=config_overrides
SlurmdTimeout=10
ProctrackType=proctrack/linuxproc
TaskPlugin=task/$enforced
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
ReturnToService=2
MinJobAge=$age
KillWait=2
SchedulerParameters=sched_interval=5,batch_sched_delay=1
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=5
END
    if [[ -n ${SLURM_ACCOUNTING:-} ]]; then
        echo AccountingStorageType=accounting_storage/slurmdbd
        echo AccountingStorageHost=127.0.0.1
        echo AccountingStoragePort=16819
        echo AccountingStoragePass="$S/munge/socket"
        echo AccountingStoreFlags=job_comment
    else
        echo AccountingStorageType=accounting_storage/none
    fi
    for n in $(seq "$nodes"); do
        mkdir -p "$S/run/n$n"
        echo "NodeName=n$n NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((17000 + n)) CPUs=$cpus" \
            "RealMemory=$memory Gres=gpu:$cpus State=UNKNOWN"
    done
    for partition in "main Default=YES PriorityTier=1" "scavenge PriorityTier=1 PreemptMode=REQUEUE" \
        "urgent PriorityTier=10"; do
        echo "PartitionName=$partition Nodes=n[1-$nodes] MaxTime=1:00:00 State=UP"
    done
} >"$S/slurm.conf"

if [[ -n ${SLURM_ACCOUNTING:-} ]]; then
    client=(--no-defaults --socket="$S/mysql.sock" -uroot)
    if [[ ! -s $S/mysql.password ]]; then
        (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$S/mysql.password")
    fi
    password=$(cat "$S/mysql.password")
    if [[ ! -d $S/mysql/mysql ]]; then
        mariadb-install-db --no-defaults --datadir="$S/mysql" --auth-root-authentication-method=socket --user=root \
            >"$S/log/mariadb-install.log" 2>&1
    fi
    setsid mariadbd --no-defaults --user=root --datadir="$S/mysql" --socket="$S/mysql.sock" --skip-networking=0 \
        --bind-address=127.0.0.1 --port=13306 --pid-file="$S/mariadb.pid" --innodb-buffer-pool-size=64M \
        --innodb-lock-wait-timeout=900 >"$S/log/mariadb.log" 2>&1 &
    await mariadb-admin "${client[@]}" ping
    mariadb "${client[@]}" <<END
create database if not exists slurm_acct_db;
create user if not exists slurm@127.0.0.1 identified by '$password';
create user if not exists slurm@localhost identified by '$password';
grant all on slurm_acct_db.* to slurm@127.0.0.1;
grant all on slurm_acct_db.* to slurm@localhost;
END
    (umask 077 && cat >"$S/slurmdbd.conf") <<END
AuthType=auth/munge
AuthInfo=socket=$S/munge/socket
DbdHost=$(hostname -s)
DbdAddr=127.0.0.1
DbdPort=16819
SlurmUser=root
PidFile=$S/slurmdbd.pid
LogFile=$S/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=13306
StorageUser=slurm
StoragePass=$password
StorageLoc=slurm_acct_db
END
    setsid slurmdbd -D >/dev/null 2>&1 &  # its number is known at once, also if it waits for the database
    echo $! >"$S/slurmdbd.pid"
    await sacctmgr -n list cluster
    sacctmgr -i add cluster loop >/dev/null 2>&1 || true
    sacctmgr -i add account me Description=me Organization=me >/dev/null 2>&1 || true
    sacctmgr -i add user root Account=me >/dev/null 2>&1 || true
fi

slurmctld
for n in $(seq "$nodes"); do slurmd -N "n$n"; done
await all_idle
sinfo -p main -N -o "%N %t %c %m"
