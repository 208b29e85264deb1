# shellcheck shell=sh
# The first process in namespaces of their own: hides from the host what programs in them write to fixed places,
# then says so by making the file $2 and becomes the program $1, which waits. All of it ends with that process.
set -eu

# Theirs are shared with containers that ask for it; nothing of it reaches the host.
mount --make-rshared /

mount -t tmpfs -o mode=0755 batchpipe /run

ip link set lo up

# kubelet and the network plugins insist on folders in these.
for folder in /var/lib /var/log; do
  aside=/run/aside$folder
  mkdir -p "$aside/upper" "$aside/work"
  mount -t overlay -o "lowerdir=$folder,upperdir=$aside/upper,workdir=$aside/work" overlay "$folder"
done

# kubelet sets what is not as it wants it, for the whole machine. Let it find that all is well.
while read -r tunable value; do
  copy=/run/aside/$(echo "$tunable" | tr / .)
  echo "$value" >"$copy"
  if [ -e "/proc/sys/$tunable" ]; then mount --bind "$copy" "/proc/sys/$tunable"; fi
done <<TUNABLES
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
TUNABLES

: >"$2"
exec "$1"
