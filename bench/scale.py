#!/usr/bin/env python3
"""scale.py - what many services cost at the start: River beside nginx and HAProxy, in one run.

    bench/scale.py [--count N] [--rounds N] [--certificates DIRECTORY] [--river PATH]
    bench/scale.py --reload ...

Two set-ups of N services with two origins each: all at one TLS address, told apart by `hosts`, each
with a certificate of its own (ECDSA P-256, with its authority's behind it); and each at a plain
address of its own. Origins do not answer: who asks gets a 502 or 503 at once.

`check` is the program's own check of its configuration. `start` is the time from the program's
start to its first answer to a request for the last service. Both are medians of the rounds.
Memory is the PSS of its processes after that answer, shared pages counted once: what was read as
root, and who serves. Certificates are made once (a minute or two) and kept."""
import argparse
import concurrent.futures
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
WAIT_SECONDS = 120
THREADS = 2


# ---- certificates ----

def openssl(*words):
    subprocess.run(["openssl", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)


def make_key_and(path, subject, *more):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "3650", "-subj", f"/CN={subject}", "-keyout", f"{path}.key", "-out",
            f"{path}.made", *more)


def make_certificates(directory, count):
    """N.pem with its authority behind it, N.key, and both in N.both as HAProxy wants them."""
    os.makedirs(directory, exist_ok=True)
    authority = os.path.join(directory, "ca")
    if not os.path.exists(f"{authority}.pem"):
        make_key_and(authority, "River's bench")
        os.rename(f"{authority}.made", f"{authority}.pem")
    with open(f"{authority}.pem") as f:
        behind = f.read()

    def one(number):
        path = os.path.join(directory, str(number))
        host = f"host{number}.example"
        if not os.path.exists(f"{path}.pem"):
            make_key_and(path, host, "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
                         "-addext", f"subjectAltName=DNS:{host},DNS:*.{host}")
            with open(f"{path}.made", "a") as f:
                f.write(behind)
            os.rename(f"{path}.made", f"{path}.pem")
        if not os.path.exists(f"{path}.both"):
            with open(f"{path}.both.new", "w") as f:
                for part in (f"{path}.pem", f"{path}.key"):
                    with open(part) as source:
                        f.write(source.read())
            os.rename(f"{path}.both.new", f"{path}.both")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, range(count + 1)))  # one more, to put in another's place


# ---- configurations ----

def address_of(i):
    return f"127.{1 + i // 62500}.{i // 250 % 250}.{1 + i % 250}"


class Plan:
    """What is to be served, and where the parts lie."""

    def __init__(self, run, certificates, count, sealed, port):
        self.run, self.certificates, self.count = run, certificates, count
        self.sealed, self.port = sealed, port
        self.listeners = [f"127.0.0.1:{port}"] if sealed else [
            f"{address_of(i)}:{port}" for i in range(count)]

    def where(self, i):
        return self.listeners[0 if self.sealed else i]

    def origins(self, i):
        return [f"127.0.0.{1 + k}:{20000 + i % 1000}" for k in range(2)]

    def file(self, name, text):
        path = os.path.join(self.run, name)
        with open(path, "w") as f:
            f.write(text)
        return path


def river_file(plan, changed=None):
    """`changed`: the number of a service whose first origin is another."""
    parts = [f'system {{ threads-per-service {THREADS}; '
             f'control-socket "{plan.run}/control" }}\nservices {{\n']
    for i in range(plan.count):
        pair = hosts = ""
        if plan.sealed:
            path = f"{plan.certificates}/{i}"
            pair = f' cert-path="{path}.pem" key-path="{path}.key"'
            hosts = f'        hosts "host{i}.example" "*.host{i}.example"\n'
        one, two = plan.origins(i)
        one = one if i != changed else "127.0.0.9:29999"
        parts.append(f'    service{i} {{\n{hosts}'
                     f'        listeners {{\n            "{plan.where(i)}"{pair}\n        }}\n'
                     f'        connectors {{\n            "{one}"\n            "{two}"\n'
                     f'        }}\n    }}\n')
    return plan.file("river.kdl", "".join(parts) + "}\n")


def nginx_file(plan):
    parts = [f"""user root; worker_processes {THREADS}; worker_rlimit_nofile 20000; daemon off;
pid {plan.run}/nginx.pid; error_log {plan.run}/nginx.err crit;
events {{ worker_connections 16000; }}
http {{ access_log off; server_names_hash_max_size 131072; server_names_hash_bucket_size 128;
client_body_temp_path {plan.run}/nb; proxy_temp_path {plan.run}/np;
fastcgi_temp_path {plan.run}/nf; uwsgi_temp_path {plan.run}/nu; scgi_temp_path {plan.run}/ns;
"""]
    for i in range(plan.count):
        pair = names = ""
        if plan.sealed:
            path = f"{plan.certificates}/{i}"
            pair = f"ssl_certificate {path}.pem; ssl_certificate_key {path}.key;"
            names = f"server_name host{i}.example *.host{i}.example;"
        one, two = plan.origins(i)
        parts.append(f"upstream o{i} {{ server {one}; server {two}; }}\n"
                     f"server {{ listen {plan.where(i)}{' ssl' if plan.sealed else ''}; {names} "
                     f"{pair} location / {{ proxy_pass http://o{i}; }} }}\n")
    return plan.file("nginx.conf", "".join(parts) + "}\n")


def haproxy_file(plan):
    parts = [f"""global
 nbthread {THREADS}
 maxconn 4000
defaults
 mode http
 timeout connect 5s
 timeout client 60s
 timeout server 60s
"""]
    if plan.sealed:
        crts = plan.file("crts", "".join(f"{plan.certificates}/{i}.both\n"
                                         for i in range(plan.count)))
        ends = plan.file("ends", "".join(f".host{i}.example b{i}\n" for i in range(plan.count)))
        names = plan.file("names", "".join(f"host{i}.example b{i}\n" for i in range(plan.count)))
        parts.append(f"""frontend f
 bind {plan.where(0)} ssl crt-list {crts} alpn h2,http/1.1
 acl known req.hdr(host),lower,map_str({names}) -m found
 use_backend %[req.hdr(host),lower,map_str({names})] if known
 use_backend %[req.hdr(host),lower,map_end({ends})]
""")
    for i in range(plan.count):
        one, two = plan.origins(i)
        start = f"backend b{i}" if plan.sealed else f"listen b{i}\n bind {plan.where(i)}"
        parts.append(f"{start}\n server a {one}\n server b {two}\n")
    return plan.file("haproxy.cfg", "".join(parts))


def proxies(river):
    """name: (how its file is made, check, run)"""
    return {
        "river": (river_file, lambda f: [river, "check", f],
                  lambda f: [river, "--config-kdl", f]),
        "nginx": (nginx_file, lambda f: ["nginx", "-t", "-q", "-c", f],
                  lambda f: ["nginx", "-c", f]),
        "haproxy": (haproxy_file, lambda f: ["haproxy", "-c", "-q", "-f", f],
                    lambda f: ["haproxy", "-W", "-f", f]),
    }


# ---- measuring ----

def asked(plan):
    """Whether a request for the last service is answered."""
    last = plan.count - 1
    host, port = plan.where(last).rsplit(":", 1)
    name = f"www.host{last}.example" if plan.sealed else host
    try:
        with socket.create_connection((host, int(port)), timeout=10) as plain:
            peer = plain
            if plan.sealed:
                context = ssl.create_default_context(cafile=f"{plan.certificates}/ca.pem")
                peer = context.wrap_socket(plain, server_hostname=name)
            peer.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            return peer.recv(12).startswith(b"HTTP/1.1 50")
    except OSError:
        return False


def family(pid):
    """A process and all below it."""
    found = [pid]
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            for child in f.read().split():
                found += family(int(child))
    except OSError:
        pass
    return found


def pss_mib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1)) / 1024


def stop(process):
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        for pid in family(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def wait_until_free(plan):
    deadline = time.monotonic() + WAIT_SECONDS
    while asked(plan):
        if time.monotonic() > deadline:
            raise RuntimeError("the one before does not end")
        time.sleep(0.1)


def measure_start(plan, command):
    """Seconds to the first answer, and the memory of each process."""
    wait_until_free(plan)
    log = open(os.path.join(plan.run, "log"), "w")
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        while not asked(plan):
            if process.poll() is not None or time.monotonic() - start > WAIT_SECONDS:
                raise RuntimeError(f"{command[0]} does not serve: see {plan.run}/log")
            time.sleep(0.002)
        seconds = time.monotonic() - start
        time.sleep(0.5)
        return seconds, [pss_mib(pid) for pid in family(process.pid)]
    finally:
        stop(process)
        log.close()


def measure_check(command):
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - start


def measure_reloads(plan, river, rounds):
    """Milliseconds of each `river reload --wait`, after a change and after none that matters."""
    wait_until_free(plan)
    path = river_file(plan)
    reload = [river, "reload", "--wait", "--control-socket", f"{plan.run}/control"]
    times = {"one origin": [], "a comment": []}
    with open(os.path.join(plan.run, "log"), "w") as log:
        process = subprocess.Popen([river, "--config-kdl", path], stdout=log, stderr=log)
        try:
            while not asked(plan):
                if process.poll() is not None:
                    raise RuntimeError(f"River does not serve: see {plan.run}/log")
                time.sleep(0.01)
            for i in range(rounds):
                for what, row in times.items():
                    if what == "one origin":
                        river_file(plan, changed=(7919 * i + plan.count // 2) % plan.count)
                    else:
                        with open(path, "a") as f:
                            f.write("// " + "x" * i + "\n")
                    time.sleep(0.5)
                    start = time.monotonic()
                    subprocess.run(reload, check=True, stdout=subprocess.DEVNULL)
                    row.append((time.monotonic() - start) * 1000)
        finally:
            stop(process)
    for what, row in times.items():
        print(f"  {what}: median {statistics.median(row):.0f} ms, "
              f"{min(row):.0f} to {max(row):.0f}")


def measure(plan, river, rounds):
    print(f"{'':10}{'check':>9}{'start':>9}  memory (MiB: all; the first process + the others)")
    rows = {}
    makers = {name: row for name, row in proxies(river).items()
              if name == "river" or shutil.which(name)}
    files = {name: row[0](plan) for name, row in makers.items()}
    for _ in range(rounds):  # interleaved: the machine's moods are shared
        for name, (_, check, run) in makers.items():
            rows.setdefault(name, []).append(
                (measure_check(check(files[name])), *measure_start(plan, run(files[name]))))
    for name, row in rows.items():
        check, start = (statistics.median(r[i] for r in row) for i in (0, 1))
        memory = row[-1][2]
        parts = f"{memory[0]:.0f} + {sum(memory[1:]):.0f}"
        print(f"{name:10}{check:8.2f}s{start:8.2f}s  {sum(memory):.0f}; {parts}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--certificates", default=os.path.join(HERE, "run", "certificates"))
    parser.add_argument("--river", default=os.path.join(ROOT, "build", "river"))
    parser.add_argument("--port", type=int, default=18443)
    parser.add_argument("--reload", action="store_true")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    make_certificates(options.certificates, options.count)
    with tempfile.TemporaryDirectory() as run:
        for sealed in (True, False):
            what = "TLS, one address, a certificate each" if sealed else "an address each"
            print(f"{options.count} services: {what}")
            plan = Plan(run, options.certificates, options.count, sealed, options.port)
            (measure_reloads if options.reload else measure)(plan, options.river, options.rounds)
    if options.reload:
        return 0
    cache = os.path.join(ROOT, "build", "release", "tests", "bench_certificate_cache")
    if os.path.exists(cache):
        print("the TLS listener by itself, processor time:", flush=True)
        subprocess.run([cache, options.certificates, str(options.count)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
