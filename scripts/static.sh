#!/bin/sh
# Builds Vigie as one file that needs no library of the system: libpcap and the C library, musl, are inside. It lies in
# target/<machine>-unknown-linux-musl/release. libpcap is built from its release, which is fetched and held against its
# checksum, or from the file LIBPCAP_SOURCE names. Needs musl-gcc (musl-tools), flex, bison and the kernel's headers.
set -eu
cd "$(dirname "$0")/.."

version=1.10.3
checksum=2a8885c403516cf7b0933ed4b14d6caa30e02052489ebd414dc75ac52e7559e6
machine=$(uname -m)
triple=$machine-unknown-linux-musl
target=${CARGO_TARGET_DIR:-target}
work=$(mkdir -p "$target" && cd "$target" && pwd)/static

for program in musl-gcc flex bison; do
	command -v "$program" >/dev/null || { echo "$program is not installed: install musl-tools, flex and bison" >&2; exit 1; }
done
rustup target list --installed | grep -qx "$triple" || rustup target add "$triple"

mkdir -p "$work"
source=${LIBPCAP_SOURCE:-$work/libpcap-$version.tar.gz}
[ -e "$source" ] || curl --fail --silent --show-error --location -o "$source" \
	"https://www.tcpdump.org/release/libpcap-$version.tar.gz"
echo "$checksum  $source" | sha256sum --check --quiet

# musl comes without the headers of the kernel, and those beside them are of another C library: links to the former alone.
mkdir -p "$work/kernel"
for name in linux asm-generic asm; do
	for place in /usr/include "/usr/include/$machine-linux-gnu"; do
		[ ! -e "$place/$name" ] || ln -sfn "$place/$name" "$work/kernel/$name"
	done
done

if [ ! -e "$work/lib/libpcap.a" ]; then
	rm -rf "$work/libpcap" && mkdir -p "$work/libpcap" "$work/lib"
	tar -x -z -C "$work/libpcap" --strip-components=1 -f "$source"
	(
		cd "$work/libpcap"
		# What only captures from other things than interfaces would need libraries.
		CC=musl-gcc CFLAGS="-O2 -idirafter $work/kernel" ./configure --quiet --disable-shared --without-libnl \
			--disable-dbus --disable-rdma --disable-bluetooth --disable-usb --without-dpdk --without-dag --without-snf
		make --silent libpcap.a
	)
	mv "$work/libpcap/libpcap.a" "$work/lib/"
fi

# The oldest interface of libpcap that Vigie's binding knows of this version; named so that it need not be asked.
export LIBPCAP_LIBDIR="$work/lib" LIBPCAP_VER=$version
under=$(echo "$triple" | tr - _)
export "CC_$under=musl-gcc"
cargo build --release --locked --target "$triple"
echo "$target/$triple/release/vigie"
