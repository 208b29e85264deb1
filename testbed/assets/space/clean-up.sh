# shellcheck shell=sh
# Removes the control groups below GROUP, which is replaced by its name. They can only be removed when
# every process in them is gone, which the kernel sees to when it ends their namespace: not at once.
groups() { find /sys/fs/cgroup -depth -type d \( -path '*/GROUP' -o -path '*/GROUP/*' \) 2>/dev/null; }
tries=0
while [ "$tries" -lt 300 ] && [ -n "$(groups)" ]; do
  groups | xargs -r rmdir 2>/dev/null
  tries=$((tries + 1))
  sleep 0.05
done
