#!/usr/bin/env python3
"""What page, API and sinks cost: the same replay without them and with all of them, in instructions.

  benches/cost.py VIGIE

With them means: the endpoint is up, a reader of the page, one of the API and a scraper of the metrics ask twice a second
each, and a webhook takes every alert line. What is compared is the instructions of all of Vigie's threads, counted by
callgrind (Debian package valgrind): wall and processor time would also count how the reader and the receiver, which run
beside Vigie here, slow the shared caches and cores. Under callgrind time runs slower; the reader asks as often a run as
it would without. Exits with 1 when instructions grow by more than 3 %.
"""

import http.server
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ALLOWED = 0.03
PER_SECOND = 2
ASKED = ["/", "/api/v1/alerts", "/api/v1/status", "/metrics"]


class Receiver(http.server.BaseHTTPRequestHandler):
    lines = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        Receiver.lines += 1
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def ask(address, every, rounds, answers, over):
    """Asks for everything so many times, one round in `every` seconds."""
    while rounds > 0 and not over.wait(every):
        rounds -= 1
        for path in ASKED:
            try:
                with urllib.request.urlopen(f"http://{address}{path}", timeout=60) as answer:
                    answers.append(len(answer.read()))
            except OSError:
                pass


def command(vigie, capture, more):
    return [vigie, "replay", capture, "--home", "FR", "--protect", "203.0.113.0/24=ecole", "--protect",
            "2001:db8:113::/48=ecole", "--threads", "1", "--format", "json", "-q", *more]


def seconds(arguments, folder):
    before = time.monotonic()
    subprocess.run(arguments, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - before


def instructions(arguments, folder):
    callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(callgrind + arguments, cwd=folder, check=True, capture_output=True, text=True)
    counted = int(re.search(r"Collected\s*:\s*(\d+)", done.stderr).group(1))
    return counted, json.loads(done.stdout)["packets"]


def main():
    vigie = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        capture = os.path.join(folder, "morning.pcap")
        made = [vigie, "synth", "launch-morning", "--rate", "30", "--duration", "600", "-o", capture]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        with open(os.path.join(folder, "sinks.toml"), "w") as config:
            config.write(f'[[sink]]\nname = "hook"\ntype = "webhook"\nurl = "http://127.0.0.1:{receiver.server_port}/"\n')
        free = socket.socket()
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        bare_command = command(vigie, capture, [])
        alone = min(seconds(bare_command, folder) for _ in range(3))
        began = time.monotonic()
        bare, packets = instructions(bare_command, folder)
        slower = (time.monotonic() - began) / alone
        answers, over = [], threading.Event()
        rounds = max(1, round(alone * PER_SECOND))
        reader = threading.Thread(target=ask, args=(address, slower / PER_SECOND, rounds, answers, over))
        reader.start()
        whole, _ = instructions(command(vigie, capture, ["--metrics", address, "--config", "sinks.toml"]), folder)
        over.set()
        reader.join()
    growth = whole / bare - 1
    print(f"{packets} packets in {alone:.2f} s; {len(answers)} answers of {sum(answers)} bytes, {Receiver.lines} lines told")
    print(f"without: {bare / 1e9:.3f} G instructions, {bare / packets:,.0f} a packet")
    print(f"with:    {whole / 1e9:.3f} G instructions, {whole / packets:,.0f} a packet")
    print(f"cost:    {growth:+.2%}")
    if not answers or not Receiver.lines:
        sys.exit("nothing was asked or told: this measured nothing")
    sys.exit(0 if growth <= ALLOWED else 1)


main()
