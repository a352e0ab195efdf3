#!/bin/sh
# Builds the commit that is checked out twice, in two folders of different names, and compares the programs to the byte.
# What would differ is told not to: paths are mapped to the same names, in Rust and in the C and assembly below it.
set -eu

cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo_home=${CARGO_HOME:-$HOME/.cargo}

build() {
	folder=$1
	mkdir -p "$folder"
	git archive HEAD | tar -x -C "$folder"
	(
		cd "$folder"
		unset RUSTFLAGS CARGO_INCREMENTAL
		export CARGO_TARGET_DIR="$folder/target" SOURCE_DATE_EPOCH=0
		export RUSTFLAGS="--remap-path-prefix=$folder=/vigie --remap-path-prefix=$cargo_home=/cargo"
		export CFLAGS="-ffile-prefix-map=$folder=/vigie -ffile-prefix-map=$cargo_home=/cargo"
		cargo build --release --locked --quiet
	)
	sha256sum "$folder/target/release/vigie" | cut -d' ' -f1 >"$folder.sum"
	rm -rf "$folder"
}

build "$work/one"
build "$work/another-place"
echo "$(cat "$work/one.sum")  first"
echo "$(cat "$work/another-place.sum")  second"
cmp -s "$work/one.sum" "$work/another-place.sum" || { echo "the two builds differ" >&2; exit 1; }
echo "the two builds are the same"
