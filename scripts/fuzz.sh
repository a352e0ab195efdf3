#!/bin/sh
# Runs fuzz targets one after another: `scripts/fuzz.sh SECONDS [TARGET...]`, each for so long, all of them by default.
# They begin with fuzz/seeds, the fixtures and the captures in VIGIE_CAPTURES; what they find interesting stays in
# fuzz/corpus, and what fails in fuzz/artifacts. Ends with the first target that fails.
set -eu
cd "$(dirname "$0")/.."

seconds=${1:?usage: scripts/fuzz.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- config decode files flows http mmdb state truth
captures=${VIGIE_CAPTURES:-../shared/captures}

if ! command -v cargo-fuzz >/dev/null; then
	echo "cargo-fuzz is not installed: cargo install cargo-fuzz --locked" >&2
	exit 1
fi
# The flags that count coverage are unstable ones.
export RUSTC_BOOTSTRAP=1

# Real inputs find deep code much sooner than chance.
mkdir -p fuzz/corpus/truth fuzz/corpus/files
cp -r fuzz/seeds/. fuzz/corpus/
cp fixtures/*.truth.json fuzz/corpus/truth/
for file in "$captures"/malformed/* "$captures"/encap/*; do
	if [ -f "$file" ] && [ "$(wc -c <"$file")" -lt 6000 ]; then
		# The first byte says that it is taken as it is.
		{ printf '\002' && cat "$file"; } >"fuzz/corpus/files/$(basename "$file")"
	fi
done

for target; do
	echo "== $target, $seconds s"
	cargo fuzz run -s none "$target" -- -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=8192 \
		-print_final_stats=1 -verbosity=0
done
