# shellcheck shell=sh
# Makes a control group $1 for containers: one with cgroup v2, one in each hierarchy with v1.
set -eu
root=/sys/fs/cgroup
if [ -e $root/cgroup.controllers ]; then
  tr ' ' '\n' <$root/cgroup.controllers | while read -r controller; do
    # Some cannot be had everywhere; kubelet names those that it misses.
    echo "+$controller" >$root/cgroup.subtree_control || true
  done
  mkdir -p "$root/$1"
else
  grep -oE " $root/[^ ]+ cgroup2? " /proc/mounts | while read -r hierarchy _; do
    mkdir -p "$hierarchy/$1"
  done
fi
