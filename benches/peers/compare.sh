#!/usr/bin/env bash
# Measures the programs a user would pick instead, reading one capture file offline, and prints
#   tool packets flows wall_s cpu_s rss_mb pps
# With `-- OUR COMMAND`, ours is run right after every counted run of each peer (A B A B ...), so that the
# ratios are taken pair by pair in one session: `wall_x` and `cpu_x` = peer / ours (above 1: ours is faster).
#
#   compare.sh --install                               install the peers (Debian packages, a venv under $PEERS_DIR)
#   compare.sh FILE.pcap                               all quick peers and the floors
#   compare.sh -n 5 -t softflowd,floor-upsert FILE -- ./ours replay {}     {} stands for the file
#   compare.sh --all FILE                              the slow ones too (tshark, pmacctd, NFStream)
#
# -n RUNS counted runs (default 5), --warmup N (1), -t LIST only these, PEERS_DIR (default /tmp/peers).
# The floors are floor.c beside this script, built with cc. Suricata is measured when the variable SURICATA names
# the program and SURICATA_YAML its configuration.
# Sends flow records only to a UDP sink of its own on 127.0.0.1. Needs root only to install.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PEERS_DIR=${PEERS_DIR:-/tmp/peers}
mkdir -p "$PEERS_DIR"

install_peers() {
    export DEBIAN_FRONTEND=noninteractive
    local rc=/usr/sbin/policy-rc.d made=
    if [ ! -e $rc ]; then printf '#!/bin/sh\nexit 101\n' >$rc; chmod +x $rc; made=1; fi   # start no daemons
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends gcc libc6-dev python3 tcpdump tshark wireshark-common softflowd nfdump \
        argus-server argus-client pmacct libndpi-bin >/dev/null
    [ -n "$made" ] && rm -f $rc
    { python3 -m venv "$PEERS_DIR/venv" && "$PEERS_DIR/venv/bin/pip" install -q nfstream; } ||
        echo "NFStream was not installed; only --all measures it" >&2
}

if [ "${1:-}" = --install ]; then install_peers; shift; [ $# -gt 0 ] || exit 0; fi
[ -x "$PEERS_DIR/floor" ] && [ "$PEERS_DIR/floor" -nt "$here/floor.c" ] || cc -O3 -march=native "$here/floor.c" -o "$PEERS_DIR/floor"

exec python3 - "$@" <<'PY'
import os, re, shlex, shutil, socket, statistics, subprocess, sys, tempfile, threading, time

D = os.environ["PEERS_DIR"]
args, ours, runs, warm, only, slow, file = sys.argv[1:], None, 5, 1, None, False, None
if "--" in args:
    i = args.index("--"); ours = args[i + 1:]; args = args[:i]
while args:
    a = args.pop(0)
    if a == "-n": runs = int(args.pop(0))
    elif a == "--warmup": warm = int(args.pop(0))
    elif a == "-t": only = args.pop(0).split(",")
    elif a == "--all": slow = True
    elif a.startswith("-"): sys.exit("unknown option " + a)
    else: file = os.path.abspath(a)
if not file or not os.path.exists(file):
    sys.exit("compare.sh: no capture file; see the head of this script")

sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)          # takes and drops the exporters' datagrams
sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
sink.bind(("127.0.0.1", 0))
port = sink.getsockname()[1]
threading.Thread(target=lambda: [sink.recv(65536) for _ in iter(int, 1)], daemon=True).start()

nfs = os.path.join(D, "nfs.py")
open(nfs, "w").write('''import sys
from nfstream import NFStreamer
if __name__ == "__main__":
    n = p = 0
    for f in NFStreamer(source=sys.argv[1], n_dissections=int(sys.argv[2]), statistical_analysis=False,
                        idle_timeout=100000, active_timeout=100000):
        n += 1; p += f.bidirectional_packets
    print("flows", n, "packets", p)
''')
pm = os.path.join(D, "pmacctd.conf")
open(pm, "w").write(f"""daemonize: false
pcap_savefile: {file}
plugins: print[x]
plugin_pipe_size[x]: 268435456
plugin_buffer_size[x]: 131072
print_cache_entries[x]: 100003
aggregate[x]: src_host,dst_host,src_port,dst_port,proto
print_output_file[x]: {D}/pmacctd.out
print_output[x]: csv
print_refresh_time: 3600
""")
q = shlex.quote(file)
sf = f"softflowd -r {q} -d -6 -v 9 -n 127.0.0.1:{port} -p {D}/softflowd.pid -c none"
# name, command, slow?, packets pattern, flows pattern
T = [
    ("floor-walk", f"{D}/floor walk {q}", 0, r"packets (\d+)", None),
    ("floor-rwalk", f"{D}/floor rwalk {q}", 0, r"packets (\d+)", None),
    ("floor-upsert", f"{D}/floor upsert {q}", 0, r"packets (\d+)", r"flows (\d+)"),
    ("floor-rupserth", f"{D}/floor rupserth {q}", 0, r"packets (\d+)", r"flows (\d+)"),
    ("tcpdump-w-null", f"tcpdump -nr {q} -w /dev/null", 0, None, None),
    ("tcpdump-count", f"tcpdump -nr {q} --count", 0, r"(\d+) packets", None),
    ("capinfos-c", f"capinfos -Mc {q}", 0, r"Number of packets:\s+(\d+)", None),
    ("softflowd", sf, 0, r"Packets processed: (\d+)", r"Flows expired: (\d+)"),
    ("softflowd-m5M", sf + " -m 5000000", 0, r"Packets processed: (\d+)", r"Flows expired: (\d+)"),
    ("nfpcapd", f"sh -c 'rm -rf {D}/nf; mkdir {D}/nf; exec nfpcapd -r {q} -w {D}/nf -S 0'", 0, r"Processed: (\d+)",
     r"Flows: (\d+)"),
    ("argus", f"argus -r {q} -w /dev/null", 0, None, None),
    ("argus+racluster", f"sh -c 'argus -r {q} -w - | racluster -r - -w - | racount -r -'", 0, r"sum\s+\d+\s+(\d+)", r"sum\s+(\d+)"),
    ("ndpiReader", f"ndpiReader -i {q}", 0, r"IP packets:\s+(\d+)", r"Unique flows:\s+(\d+)"),
    ("pmacctd", f"pmacctd -f {pm}", 1, None, None),
    ("tshark-conv-tcp", f"sh -c 'tshark -n -r {q} -q -z conv,tcp | wc -l'", 1, None, None),
    ("nfstream-d20", f"{D}/venv/bin/python {nfs} {q} 20", 1, r"packets (\d+)", r"flows (\d+)"),
    ("nfstream-d0", f"{D}/venv/bin/python {nfs} {q} 0", 1, r"packets (\d+)", r"flows (\d+)"),
]
if os.environ.get("SURICATA"):
    log = os.path.join(D, "suricata"); os.makedirs(log, exist_ok=True)
    T.append(("suricata-norules", f"{os.environ['SURICATA']} -c {os.environ['SURICATA_YAML']} -S /dev/null -r {q} -l {log}",
              0, r"read 1 file, (\d+) packets", None))


def once(argv):
    with tempfile.TemporaryFile() as out:
        t = time.monotonic()
        p = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        _, st, ru = os.wait4(p.pid, 0)
        w = time.monotonic() - t
        p.returncode = os.waitstatus_to_exitcode(st)
        out.seek(0, 2); n = out.tell(); out.seek(max(0, n - (1 << 20)))
        return w, ru.ru_utime + ru.ru_stime, ru.ru_maxrss / 1024, p.returncode, out.read().decode("utf8", "replace")


def med(v): return statistics.median(v)


base = once([f"{D}/floor", "walk", file])
total = int(re.search(r"packets (\d+)", base[4]).group(1))
hdr = f"{'tool':18} {'packets':>9} {'flows':>8} {'wall_s':>8} {'cpu_s':>8} {'rss_mb':>8} {'pps':>11}"
print(f"# {os.path.basename(file)}: {total} packets, {os.path.getsize(file)} bytes; median of {runs} runs after {warm} warm-up")
print(hdr + ("   wall_x    cpu_x  rss_x   (peer / ours, median of pairs)" if ours else ""))
mine = []
for name, cmd, is_slow, ppat, fpat in T:
    if only and name not in only: continue
    if is_slow and not slow and not only: continue
    argv = shlex.split(cmd)
    if not (shutil.which(argv[0]) and (argv[0] != "sh" or all(shutil.which(w.split()[0]) for w in argv[2].split(";")[-1].replace("exec ", "").split("|")))):
        print(f"{name:18} not installed"); continue
    oargv = [x.replace("{}", file) for x in ours] if ours else None
    for _ in range(warm):
        once(argv)
        if oargv: once(oargv)
    a, b = [], []
    for _ in range(runs):
        a.append(once(argv))
        if oargv: b.append(once(oargv))
    o = a[-1][4]
    m = re.findall(ppat, o) if ppat else []
    f = re.findall(fpat, o) if fpat else []
    w = med([x[0] for x in a])
    line = f"{name:18} {m[-1] if m else '-':>9} {f[-1] if f else '-':>8} {w:8.3f} {med([x[1] for x in a]):8.3f} {med([x[2] for x in a]):8.1f} {total / w:11.0f}"
    if b:
        mine += b
        line += "  " + "  ".join(f"{med([x[i] / max(y[i], 1e-6) for x, y in zip(a, b)]):7.2f}" for i in (0, 1, 2))
    if any(x[3] for x in a): line += f"   exit {sorted({x[3] for x in a})}"
    print(line, flush=True)
if mine:
    w = med([x[0] for x in mine])
    print(f"{'ours':18} {'-':>9} {'-':>8} {w:8.3f} {med([x[1] for x in mine]):8.3f} {med([x[2] for x in mine]):8.1f} {total / w:11.0f}"
          + (f"   exit {sorted({x[3] for x in mine})}" if any(x[3] for x in mine) else ""))
PY
