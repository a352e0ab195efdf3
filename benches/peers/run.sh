#!/usr/bin/env bash
# Measures Vigie against what a user would run instead, on four captures of our own making, pair by pair in one run.
#
#   run.sh VIGIE            captures and rivals of issue size; PACKETS=1000000 makes smaller ones, RUNS=3 takes fewer runs
#
# Captures are written once to target/peers (3.1 GB at full size) and read from the page cache. Rivals are Debian
# packages; `compare.sh --install` installs them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
vigie=$(realpath "${1:?usage: run.sh VIGIE}")
folder=$here/../../target/peers
packets=${PACKETS:-10000000} runs=${RUNS:-5}
mkdir -p "$folder"

capture() { # name, generator's arguments
	local name=$1; shift
	[ -e "$folder/$name-$packets.pcap" ] || python3 "$here/gen_traffic.py" -o "$folder/$name-$packets.pcap" "$@" >/dev/null
}
capture mixed mixed -n "$packets"
capture synflood synflood -n $((packets / 2))
capture tiny tiny -n $((packets / 2)) --flows $((packets / 20))
capture full full -n $((packets * 14 / 100))

grep -m1 'model name' /proc/cpuinfo || true
"$vigie" --version
for name in mixed synflood tiny full; do
	rivals=floor-rupserth,softflowd,tcpdump-w-null
	[ $name != synflood ] || rivals=$rivals,softflowd-m5M,nfpcapd
	PEERS_DIR=$folder/programs "$here/compare.sh" -n "$runs" -t "$rivals" "$folder/$name-$packets.pcap" -- \
		"$vigie" replay -q --home FR --protect 203.0.113.0/24 --alerts "$folder/alerts.jsonl" {}
done
