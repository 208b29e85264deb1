# shellcheck shell=sh
# Joins the namespace of process $1 with the host by a cable $2: the host becomes another machine, $3, in the pods'
# network, whose gateway is $4 and leads to the Services, $5. Cable, addresses and routes vanish with the namespace.
set -eu
inside() { nsenter --target "$node" --net "$@"; }
node=$1 cable=$2 host=$3 gateway=$4 services=$5

if ip -4 -oneline address show | grep -F " ${host%.*.*}."; then
  echo "this interface has an address in the pods' network $host/16; take it down while a node runs" >&2
  exit 1
fi

ip link add "$cable" type veth peer name host0 netns "$node"
ip address add "$host/16" dev "$cable"
ip link set "$cable" up

# The bridge plugin takes a bridge that is there.
inside ip link add cni0 type bridge
inside ip address add "$gateway/16" dev cni0
inside ip link set host0 master cni0
inside ip link set host0 up
inside ip link set cni0 up
inside sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
# Some programs look for a default route to learn which address is theirs.
inside ip route add default via "$host"
# What kube-proxy does not know yet is refused: a connection that is left unanswered would stay unanswered, because
# the kernel remembers that it goes nowhere.
inside ip rule add iif cni0 to "$services" unreachable

ip route add "$services" via "$gateway"
