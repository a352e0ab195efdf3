#!/usr/bin/env python3
"""What page, API and sinks cost: the same replay without them and with all of them, in turn.

  benches/cost.py VIGIE [RUNS]

With them means: the endpoint is up, a reader of the page, one of the API and a scraper of the metrics ask twice a second
each, and a webhook takes every alert line. Two figures are compared, each the best of its runs: packets a second of wall
time, and processor time of the whole process, which does not depend on who else uses the machine. Exits with 1 when
processor time grows by more than 3 %.
"""

import http.server
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request

ALLOWED = 0.03
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


def ask(address, over, answers):
    """Asks for everything twice a second until the run is over."""
    while not over.wait(0.5):
        for path in ASKED:
            try:
                with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
                    answers.append(len(answer.read()))
            except OSError:
                pass


def run(vigie, capture, folder, more):
    command = [vigie, "replay", capture, "--home", "FR", "--protect", "203.0.113.0/24=ecole", "--protect",
               "2001:db8:113::/48=ecole", "--threads", "1", "--format", "json", "-q"]
    before = os.times()
    output = subprocess.run(command + more, cwd=folder, check=True, stdout=subprocess.PIPE).stdout
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    summary = json.loads(output)
    return summary["packets"], cpu, summary["packets_per_second"]


def main():
    vigie = os.path.abspath(sys.argv[1])
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    with tempfile.TemporaryDirectory() as folder:
        capture = os.path.join(folder, "morning.pcap")
        made = [vigie, "synth", "launch-morning", "--rate", "60", "--duration", "900", "-o", capture]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        with open(os.path.join(folder, "sinks.toml"), "w") as config:
            config.write(f'[[sink]]\nname = "hook"\ntype = "webhook"\nurl = "http://127.0.0.1:{receiver.server_port}/"\n')
        free = socket.socket()
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        bare, whole, answers = [], [], []
        for _ in range(runs):
            bare.append(run(vigie, capture, folder, []))
            over = threading.Event()
            reader = threading.Thread(target=ask, args=(address, over, answers))
            reader.start()
            whole.append(run(vigie, capture, folder, ["--metrics", address, "--config", "sinks.toml"]))
            over.set()
            reader.join()
    packets = bare[0][0]
    cpu = [min(run[1] for run in runs) for runs in (bare, whole)]
    rate = [max(run[2] for run in runs) for runs in (bare, whole)]
    print(f"{packets} packets, best of {runs} runs each; {len(answers)} answers of {sum(answers)} bytes, {Receiver.lines} lines")
    print(f"without: {cpu[0]:.2f} s of processor time, {rate[0]:,.0f} packets/s")
    print(f"with:    {cpu[1]:.2f} s of processor time, {rate[1]:,.0f} packets/s")
    print(f"cost:    {cpu[1] / cpu[0] - 1:+.1%} of processor time, {1 - rate[1] / rate[0]:+.1%} of the rate")
    if not answers or not Receiver.lines:
        sys.exit("nothing was asked or told: this measured nothing")
    sys.exit(0 if cpu[1] <= cpu[0] * (1 + ALLOWED) else 1)


main()
