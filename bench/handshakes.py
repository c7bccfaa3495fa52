#!/usr/bin/env python3
"""handshakes.py - what a TLS 1.3 handshake costs River and nginx, full and resumed.

    bench/handshakes.py [--rounds N] [--count N] [--river PATH] [--before PATH] [--clients N]

Both have one certificate (ECDSA P-256), one thread, tickets, and answer by themselves; the key
exchange is X25519, which is what the client (Python's ssl) begins with. A client connects, shakes
hands, waits for the tickets, and closes; with `resumed` each one goes on with the session before.
What is told is processor time of the server, user and system, for a handshake with its connection:
the kernel's own count at both ends of a round. Rounds are interleaved, and the ratios are medians
of the ratios within one round. `--before` is another River to compare with."""
import argparse
import os
import select
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile

from run import ROOT, Process, cpu_ns, free_port, wait_port
from scale import make_key_and

NGINX = """daemon off; master_process off; worker_processes 1; pid {place}/nginx.pid; user root;
error_log {place}/nginx.err crit; events {{ worker_connections 1024; }}
http {{ access_log off; client_body_temp_path {place}/nb; proxy_temp_path {place}/np;
fastcgi_temp_path {place}/nf; uwsgi_temp_path {place}/nu; scgi_temp_path {place}/ns;
server {{ listen 127.0.0.1:{port} ssl http2 backlog=4096;
ssl_certificate {place}/site.pem; ssl_certificate_key {place}/site.key; ssl_protocols TLSv1.3;
location / {{ return 204; }} }} }}
"""
RIVER = """system {{ threads-per-service 1; control-socket "{place}/{name}.sock" }}
services {{ Bench {{ listeners {{
"127.0.0.1:{port}" cert-path="{place}/site.pem" key-path="{place}/site.key" {{
  tls-versions "1.3"
}} }}
respond status=204 }} }}
"""
MODES = ("full", "resumed")


# ---- the client ----

def wait_for_tickets(secure):
    secure.setblocking(False)
    while select.select([secure], [], [], 5)[0]:
        try:
            secure.recv(1)
            return
        except ssl.SSLWantReadError:
            return


def shake(port, count, resume):
    """So many handshakes; how many of them were resumed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    session, reused = None, 0
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port), 5) as raw:
            with context.wrap_socket(raw, session=session if resume else None,
                                     server_hostname="a.example") as secure:
                reused += secure.session_reused
                wait_for_tickets(secure)
                session = secure.session
    return reused


# ---- the servers ----

def start(name, place, binary):
    port = free_port()
    path = os.path.join(place, f"{name}.conf")
    with open(path, "w") as f:
        f.write((NGINX if name == "nginx" else RIVER).format(place=place, port=port, name=name))
    command = ([binary, "-c", path, "-e", f"{place}/nginx.err"] if name == "nginx" else
               [binary, "run", path])
    with open(os.path.join(place, f"{name}.log"), "w") as log:
        process = Process(command, {0}, stderr=log)
    if not wait_port(port, process):
        sys.exit(f"{name} did not start: " + open(os.path.join(place, f"{name}.log")).read())
    return process, port


def measure(process, port, mode, options):
    """Microseconds of the server's processor time for one handshake."""
    words = [sys.executable, os.path.abspath(__file__), "--shake", str(port), mode,
             str(options.count)]
    before = cpu_ns(process.pids())
    clients = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
               for _ in range(options.clients)]
    reused = sum(int(client.communicate(timeout=120)[0]) for client in clients)
    spent = cpu_ns(process.pids()) - before
    all_of_them = options.count * options.clients
    expected = 0 if mode == "full" else all_of_them - options.clients
    if reused != expected:
        sys.exit(f"{reused} of {all_of_them} were resumed, not {expected}")
    return spent / 1000 / all_of_them


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--river", default=os.path.join(ROOT, "build", "river"))
    parser.add_argument("--before")
    parser.add_argument("--shake", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.shake:
        port, mode, count = options.shake
        print(shake(int(port), int(count), mode == "resumed"))
        return
    programs = {"nginx": shutil.which("nginx") or "/usr/sbin/nginx", "river": options.river}
    if options.before:
        programs["before"] = options.before
    spent = {(name, mode): [] for name in programs for mode in MODES}
    running = {}
    with tempfile.TemporaryDirectory() as place:
        make_key_and(f"{place}/site", "a.example")
        os.rename(f"{place}/site.made", f"{place}/site.pem")
        try:
            for name, binary in programs.items():
                running[name] = start(name, place, binary)
            for turn in range(options.rounds + 1):
                for mode in MODES:
                    for name, (process, port) in running.items():
                        cost = measure(process, port, mode, options)
                        if turn > 0:  # the first one warms up
                            spent[name, mode].append(cost)
        finally:
            for process, _ in running.values():
                process.end()
    print("| | us a handshake, median (least, most) | x nginx |\n|---|---|---|")
    for (name, mode), costs in spent.items():
        ratio = statistics.median(a / b for a, b in zip(costs, spent["nginx", mode]))
        print(f"| {name}, {mode} | {statistics.median(costs):.0f} ({min(costs):.0f}, "
              f"{max(costs):.0f}) | {ratio:.2f} |")


if __name__ == "__main__":
    main()
