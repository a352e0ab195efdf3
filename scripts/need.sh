#!/bin/sh
# Sees to it that what a target needs is installed: `scripts/need.sh build` or `scripts/need.sh test`.
# On Debian and its relatives missing packages are installed, with sudo when not root. Elsewhere nothing is touched: it
# says what to install when a program or header is not there.
set -eu

# libpcap's header and library to link against; a C compiler for zstd.
build="gcc make libpcap-dev pkg-config"
# What tests compare with (tshark and its capinfos, tcpdump, Prometheus and its Alertmanager), send with (tcpreplay,
# hping3), build networks of (iproute2), look at pages with (chromium) and at terminals with (tmux), validate the compose
# file with (docker-compose, which needs no engine for that), make certificates with (openssl) and count instructions with
# (valgrind). DuckDB, which reads flow records, is no Debian package: it comes from PyPI into a Python of our own below
# target/.
test="tshark tcpdump tcpreplay hping3 prometheus prometheus-alertmanager iproute2 chromium tmux docker-compose openssl python3-venv valgrind"
python=$(dirname "$0")/../target/python

case "${1:-}" in
build) packages=$build programs="cc make" ;;
test) packages="$build $test" programs="cc make tshark capinfos tcpdump tcpreplay hping3 prometheus promtool prometheus-alertmanager ip chromium tmux openssl valgrind" ;;
*) echo "usage: scripts/need.sh build|test" >&2; exit 2 ;;
esac

say() { printf '%s\n' "$*" >&2; }

if ! command -v cargo >/dev/null; then
	say "cargo is not installed: install Rust from https://rustup.rs, then run this again"
	exit 1
fi

# hping3 and ip live in sbin, which is not on everybody's path.
PATH=$PATH:/usr/sbin:/sbin

debian() {
	missing=
	for package in $packages; do
		case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" in
		*" installed") ;;
		*) missing="$missing $package" ;;
		esac
	done
	[ -n "$missing" ] || return 0
	sudo=
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null; then
			say "missing packages, and neither root nor sudo: run as root: apt-get install$missing"
			return 1
		fi
		sudo=sudo
	fi
	say "installing:$missing"
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq
	# shellcheck disable=SC2086 # a list of words
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}

elsewhere() {
	missing=
	for program in $programs; do
		command -v "$program" >/dev/null || missing="$missing $program"
	done
	[ -e /usr/include/pcap.h ] || [ -e /usr/local/include/pcap.h ] || [ -e /opt/homebrew/include/pcap.h ] ||
		missing="$missing pcap.h (libpcap with its headers: libpcap-devel, libpcap)"
	[ -n "$missing" ] || return 0
	say "not Debian, so nothing is installed for you. Missing:$missing"
	# Tests whose program is missing are skipped and say so; without a compiler or libpcap nothing can be built.
	case "$missing" in
	*" cc"* | *" make"* | *pcap.h*) return 1 ;;
	esac
}

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
	debian
else
	elsewhere
fi

if [ "${1:-}" = test ] && ! "$python/bin/python" -c 'import duckdb' 2>/dev/null; then
	say "installing: duckdb into target/python"
	{ python3 -m venv "$python" && "$python/bin/pip" install --quiet 'duckdb>=1.1'; } ||
		say "duckdb cannot be installed: the test that needs it is skipped"
fi
