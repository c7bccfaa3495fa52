#!/usr/bin/env python3
"""run.py - River beside nginx, HAProxy and a raw relay, in one run, as ratios.

    bench/run.py [--scenarios h1-1k,h1-64k] [--only river,nginx] [--rounds N] [--seconds S]
                 [--river PATH] [--unchecked PATH] [--list] [--save] [--system-calls]

Each measurement starts a fresh origin and a fresh proxy, warms up, and takes the proxy's processor
time from the kernel's own accounting at both ends of a window. Rounds are interleaved over the
proxies, and the ratios are medians of the ratios within one round: the machine's moods cancel.
The proxy runs on the first processor, origin and client on the second.

`busy` below 0.9 means that the proxy was not saturated: its time per request then holds wake-ups of
an idle processor, and the rate is the client's or the origin's. Memory is the proxy's PSS: the mean
of samples in the window, and the peak.

TLS and HTTP/2 are asked for by other people's clients (h2load, openssl s_time); there the window is
the client's whole run, and the peers are all that are installed of nginx, HAProxy and nghttpx."""
import argparse
import datetime
import json
import mmap
import os
import platform
import re
import shutil
import signal
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
RUN = os.path.join(HERE, "run")

# name: (what it shows, arguments of load, threads of the proxy)
SCENARIOS = {
    "h1-0": ("small keep-alive requests, empty answers", "-c 64 -u /0 -e 0", 1),
    "h1-1k": ("keep-alive, 1 KiB answers", "-c 64 -u /1k -e 1024", 1),
    "h1-c512": ("512 clients", "-c 512 -u /1k -e 1024", 1),
    "h1-c1": ("one client: latency", "-c 1 -u /1k -e 1024", 1),
    "h1-64k": ("64 KiB bodies", "-c 64 -u /64k -e 65536", 1),
    "h1-1m": ("1 MiB bodies", "-c 16 -u /1m -e 1048576", 1),
    "h1-close": ("a client connection for each request", "-c 64 -u /1k -e 1024 -x", 1),
    "heads": ("heads of 60 fields, 4 KiB", "-c 64 -u /1k -e 1024 -H", 1),
    "chunks": ("a thousand chunks of one byte", "-c 64 -u /chunks", 1),
    "reuse": ("200 clients ask now and then: origin connections", "-c 200 -i 75 -u /1k -e 1024", 2),
    "burst": ("200 clients ask all at once: origin connections",
              "-c 200 -i 75 -b -u /1k -e 1024", 2),
    "idle": ("5,000 idle keep-alive connections", "-I -c 5000 -u /1k -e 1024", 1),
    "static-1k": ("a file of 1 KiB, keep-alive", "-c 64 -u /1k -e 1024", 1),
    "static-1m": ("a file of 1 MiB, keep-alive", "-c 16 -u /1m -e 1048576", 1),
    "tls-1k": ("TLS 1.3 keep-alive, 1 KiB answers", "h2load --h1 -c 64 -t 1 /1k", 1),
    "tls-1m": ("TLS 1.3, 1 MiB bodies", "h2load --h1 -c 16 -t 1 /1m", 1),
    "handshakes": ("full TLS 1.3 handshakes, four clients", "s_time 4", 1),
    "h2-1k": ("HTTP/2 over TLS to HTTP/1, 1 KiB answers", "h2load -c 32 -m 32 -t 1 /1k", 1),
    "idle-tls": ("2,000 idle keep-alive connections over TLS", "ssl 2000 /1k", 1),
}
STATIC = ("static-1k", "static-1m")  # files; the peers are other servers
SEALED = ("tls-1k", "tls-1m", "handshakes", "h2-1k", "idle-tls")

NGINX = """user root; worker_processes {threads}; worker_rlimit_nofile 20000; pid {run}/nginx.pid;
error_log {run}/nginx.err crit; daemon off;
events {{ worker_connections 16000; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 3600s; tcp_nodelay on;
client_body_temp_path {run}/nb; proxy_temp_path {run}/np; fastcgi_temp_path {run}/nf;
uwsgi_temp_path {run}/nu; scgi_temp_path {run}/ns;
upstream o {{ server 127.0.0.1:{origin}; keepalive 1024; keepalive_requests 100000000;
keepalive_time 24h; keepalive_timeout 3600s; }}
proxy_http_version 1.1; proxy_set_header Connection ""; proxy_max_temp_file_size 0;
proxy_buffer_size 16k; proxy_buffers 16 16k; proxy_busy_buffers_size 128k;
large_client_header_buffers 8 32k;
ssl_certificate {run}/site.pem; ssl_certificate_key {run}/site.key;
ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off; ssl_session_tickets off;
server {{ listen 127.0.0.1:{port} backlog=4096 {reuseport};
listen 127.0.0.1:{tls} ssl http2 backlog=4096 {reuseport};
location / {{ proxy_pass http://o; }} }} }}
"""
HAPROXY = """global
 nbthread {threads}
 maxconn 9000
 tune.idle-pool.shared on
 tune.pool-low-fd-ratio 90
 tune.pool-high-fd-ratio 95
 tune.maxrewrite 4096
 tune.ssl.cachesize 0
 ssl-default-bind-options no-tls-tickets ssl-min-ver TLSv1.2
defaults
 mode http
 http-reuse always
 timeout connect 5s
 timeout client 1h
 timeout server 1h
 timeout http-keep-alive 1h
 maxconn 9000
frontend f
 bind 127.0.0.1:{port} backlog 4096
 bind 127.0.0.1:{tls} ssl crt {run}/site-both.pem alpn h2,http/1.1 backlog 4096
 default_backend b
backend b
 server s 127.0.0.1:{origin} pool-max-conn -1 pool-purge-delay 3600s
"""
RIVER = """system {{ threads-per-service {threads}; control-socket "{run}/{name}.sock" }}
services {{ Bench {{
 listeners {{ "127.0.0.1:{port}"
  "127.0.0.1:{tls}" cert-path="{run}/site.pem" key-path="{run}/site.key" }}
 connectors {{ "127.0.0.1:{origin}" }} }} }}
"""

# Files: each server in its best plain set-up, without a log.
STATIC_CONF = {
    "nginx": """user root; worker_processes {threads}; pid {run}/nginx.pid; daemon off;
error_log {run}/nginx.err crit; worker_rlimit_nofile 20000; events {{ worker_connections 16000; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 3600s; tcp_nodelay on;
client_body_temp_path {run}/nb; proxy_temp_path {run}/np; fastcgi_temp_path {run}/nf;
uwsgi_temp_path {run}/nu; scgi_temp_path {run}/ns; sendfile on; sendfile_max_chunk 1m;
open_file_cache max=1000 inactive=60s; open_file_cache_valid 1s;
server {{ listen 127.0.0.1:{port} backlog=4096; root {run}/www; }} }}
""",
    "h2o": """user: root
num-threads: {threads}
max-connections: 9000
http1-request-timeout: 3600
error-log: {run}/h2o.err
listen: {{ host: 127.0.0.1, port: {port} }}
hosts: {{ default: {{ paths: {{ "/": {{ file.dir: {run}/www }} }} }} }}
""",
    "lighttpd": """server.document-root = "{run}/www"
server.port = {port}
server.bind = "127.0.0.1"
server.max-keep-alive-requests = 100000000
server.max-keep-alive-idle = 3600
server.max-fds = 20000
server.max-connections = 9000
server.listen-backlog = 4096
server.errorlog = "{run}/lighttpd.err"
""",
    "river": """system {{ threads-per-service {threads}; control-socket "{run}/river.sock" }}
services {{ Bench {{ listeners {{ "127.0.0.1:{port}" }}
 file-server {{ base-path "{run}/www" }} }} }}
""",
}


def static_command(name, port, threads, options):
    """The command that serves the files of RUN/www; None for a program that is not here."""
    program = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") or ""
    path = f"{RUN}/static-{name}.conf"
    with open(path, "w") as f:
        f.write(STATIC_CONF[name].format(port=port, threads=threads, run=RUN))
    return {"nginx": [program, "-c", path, "-e", f"{RUN}/nginx.err"],
            "h2o": [program, "-m", "worker", "-c", path],
            "lighttpd": [program, "-D", "-f", path],
            "river": [options.river, "run", path]}[name]


def make_files():
    os.makedirs(f"{RUN}/www", exist_ok=True)
    for name, size in (("1k", 1024), ("1m", 1 << 20)):
        if not os.path.exists(f"{RUN}/www/{name}"):
            with open(f"{RUN}/www/{name}", "wb") as f:
                f.write(os.urandom(size))
        os.utime(f"{RUN}/www/{name}", (1700000000, 1700000000))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_certificate():
    """One for all runs, as PEM files: chain, key, and both in one."""
    if os.path.exists(f"{RUN}/site-both.pem"):
        return
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj", "/CN=bench",
                    "-addext", "subjectAltName=DNS:bench.example", "-keyout", f"{RUN}/site.key",
                    "-out", f"{RUN}/site.pem"], check=True, stderr=subprocess.DEVNULL)
    both = ""
    for name in ("site.pem", "site.key"):
        with open(f"{RUN}/{name}") as f:
            both += f.read()
    with open(f"{RUN}/site-both.pem", "w") as f:
        f.write(both)


def build_tools():
    os.makedirs(RUN, exist_ok=True)
    make_certificate()
    make_files()
    for name in ("origin", "relay", "load"):
        source, binary = f"{HERE}/{name}.c", f"{RUN}/{name}"
        newest = max(os.path.getmtime(source), os.path.getmtime(f"{HERE}/net.h"))
        if not os.path.exists(binary) or os.path.getmtime(binary) < newest:
            command = ["gcc", "-O2", "-Wall", "-D_GNU_SOURCE", "-o", binary, source]
            subprocess.run(command, check=True)


class Process:
    """A process group that this run started, and ends."""

    def __init__(self, command, cpus, **how):
        def prepare():
            os.setsid()
            os.sched_setaffinity(0, cpus)
        how.setdefault("stdout", subprocess.DEVNULL)
        self.popen = subprocess.Popen(command, preexec_fn=prepare, **how)

    def pids(self):
        """The process and its descendants."""
        found, seen = [self.popen.pid], 0
        while seen < len(found):
            for task in os.listdir(f"/proc/{found[seen]}/task"):
                try:
                    with open(f"/proc/{found[seen]}/task/{task}/children") as f:
                        found += [int(pid) for pid in f.read().split()]
                except OSError:
                    pass
            seen += 1
        return found

    def end(self):
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT)
            try:
                self.popen.wait(3)
            except subprocess.TimeoutExpired:
                os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()


def wait_port(port, process):
    for _ in range(400):
        if process.popen.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


def proxy_command(name, port, origin, threads, options, tls=0):
    """The command that runs the proxy, with its configuration written."""
    tls = tls or free_port()
    if name == "nghttpx":
        return ["nghttpx", "--conf=/dev/null", f"-f127.0.0.1,{port};no-tls", f"-f127.0.0.1,{tls}",
                f"-b127.0.0.1,{origin}", f"--workers={threads}", "--single-process",
                "--log-level=FATAL", f"--errorlog-file={RUN}/nghttpx.err", "--no-ocsp",
                "--worker-frontend-connections=0", "--backlog=4096", f"{RUN}/site.key",
                f"{RUN}/site.pem"]
    fill = dict(port=port, tls=tls, origin=origin, threads=threads, run=RUN, name=name,
                reuseport="reuseport" if threads > 1 else "")
    if name == "relay":
        return [f"{RUN}/relay", str(port), str(origin)]
    text = {"nginx": NGINX, "haproxy": HAPROXY}.get(name, RIVER).format(**fill)
    path = f"{RUN}/{name}.conf"
    with open(path, "w") as f:
        f.write(text)
    if name == "nginx":
        return [shutil.which("nginx") or "/usr/sbin/nginx", "-c", path, "-e", f"{RUN}/nginx.err"]
    if name == "haproxy":
        return [shutil.which("haproxy") or "/usr/sbin/haproxy", "-f", path, "-db", "-q"]
    binary = options.unchecked if name == "river-unchecked" else options.river
    return [binary, "run", path]


def pss_bytes(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1)) * 1024
        except (OSError, AttributeError):
            pass
    return total


class MemoryWatch(threading.Thread):
    """Samples the proxy's memory while a window runs."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids, self.samples, self.over = pids, [], threading.Event()

    def run(self):
        while not self.over.wait(0.25):
            self.samples.append(pss_bytes(self.pids))

    def result(self):
        self.over.set()
        self.join()
        samples = self.samples or [pss_bytes(self.pids)]
        return {"pss_mean": statistics.mean(samples), "pss_peak": max(samples)}


def measure_idle(port, arguments, process):
    before = pss_bytes(process.pids())
    load = Process([f"{RUN}/load", "-p", str(port)] + arguments.split(), {1},
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    words = load.popen.stdout.readline().split()
    time.sleep(1)
    after = pss_bytes(process.pids())
    load.popen.communicate("\n", timeout=20)
    count = int(words[1]) if len(words) > 1 else 0
    return {"bytes": (after - before) / max(count, 1), "pss_peak": after,
            "errors": 0 if count == int(arguments.split()[2]) else 1}


def cpu_ns(pids):
    """Processor time of all threads, by the scheduler's own count."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
    return total


def run_client(words, port, seconds):
    """Runs the client to its end; (requests or handshakes, errors)."""
    if words[0] == "h2load":
        command = [*words[:-1], "-D", str(max(1, round(seconds))),
                   f"https://127.0.0.1:{port}{words[-1]}"]
        out = Process(command, {1}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                      text=True).popen.communicate(timeout=seconds + 30)[0]
        found = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", out)
        return int(found[1]), int(found[2]) + int(found[3])
    command = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time",
               str(max(1, round(seconds)))]
    clients = [Process(command, {1}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
               for _ in range(int(words[1]))]
    outs = [c.popen.communicate(timeout=seconds + 30)[0] for c in clients]
    counts = [re.search(r"(\d+) connections in \d+ real", out) for out in outs]
    return sum(int(c[1]) for c in counts if c), sum(c is None for c in counts)


def measure_sealed(arguments, port, process, options):
    """TLS and HTTP/2, by other people's clients."""
    pids, words = process.pids(), arguments.split()
    if words[0] == "ssl":
        return measure_idle_tls(port, int(words[1]), words[2], process)
    run_client(words, port, 1)  # warms up
    watch = MemoryWatch(pids)
    watch.start()
    start, before = time.monotonic(), cpu_ns(pids)
    count, errors = run_client(words, port, options.seconds)
    spent, took = cpu_ns(pids) - before, time.monotonic() - start
    return {"cpu_us": spent / 1000 / max(count, 1), "busy": spent / 1e9 / took,
            "rate": count / took, "errors": errors, **watch.result()}


def measure_idle_tls(port, count, path, process):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    before, held = pss_bytes(process.pids()), []
    for _ in range(count):
        s = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 5))
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        got = b""
        while b"\r\n\r\n" not in got or len(got.split(b"\r\n\r\n", 1)[1]) < 1024:
            got += s.recv(65536)
        held.append(s)
    time.sleep(1)
    after = pss_bytes(process.pids())
    for s in held:
        s.close()
    return {"bytes": (after - before) / count, "pss_peak": after, "errors": 0}


def measure(name, scenario, options):
    _, arguments, threads = SCENARIOS[scenario]
    if name == "relay" and threads > 1:
        threads = 1
    origin_port, port, tls = free_port(), free_port(), free_port()
    counters = f"{RUN}/counters"
    origin = Process([f"{RUN}/origin", str(origin_port), counters], {1})
    process = None
    try:
        wait_port(origin_port, origin)
        cpus = {0} if threads == 1 else {0, 1}
        with open(f"{RUN}/{name}.log", "w") as log:
            if scenario in STATIC:
                command = static_command(name, port, threads, options)
            else:
                command = proxy_command(name, port, origin_port, threads, options, tls)
            process = Process(command, cpus, stderr=log)
        if not wait_port(port, process):
            return {"fail": "did not start, see " + f"bench/run/{name}.log"}
        time.sleep(0.2)
        if scenario in SEALED:
            return measure_sealed(arguments, tls, process, options)
        if scenario == "idle":
            return measure_idle(port, arguments, process)
        pids = process.pids()
        watch = MemoryWatch(pids)
        watch.start()
        load = Process([f"{RUN}/load", "-p", str(port), "-d", str(options.seconds), "-w", "0.4",
                        "-P", ",".join(map(str, pids))] + arguments.split(), {1},
                       stdout=subprocess.PIPE, text=True)
        out, _ = load.popen.communicate(timeout=options.seconds + 30)
        result = json.loads(out)
        result.update(watch.result())
        with open(counters, "rb") as f, mmap.mmap(f.fileno(), 32, access=mmap.ACCESS_READ) as m:
            accepted, _, result["peak"] = struct.unpack("3Q", m[:24])
        result["opened"] = accepted - 1  # our own look whether it was there
        return result
    except (ValueError, subprocess.TimeoutExpired) as problem:
        return {"fail": str(problem) or "no answer"}
    finally:
        if process:
            process.end()
        origin.end()


def median(rows, key):
    values = [r[key] for r in rows if key in r]
    return statistics.median(values) if values else float("nan")


def whole(rows, key):
    """The median as a whole number; "-" where nothing was measured."""
    return f"{median(rows, key):.0f}" if any(key in r for r in rows) else "-"


def ratio(rows, others, key):
    """Median of the ratios within one round."""
    pairs = [a[key] / b[key] for a, b in zip(rows, others) if key in a and key in b and b[key]]
    return f"{statistics.median(pairs):.2f}" if pairs else "-"


def table(scenario, results):
    what, arguments, threads = SCENARIOS[scenario]
    client = arguments if scenario in SEALED else f"load {arguments}"
    lines = [f"### {scenario}: {what}", "", f"`{client}`, proxy threads: {threads}", ""]
    ours = ("relay", "river", "river-unchecked")
    peers = [n for n in results if n not in ours and any("fail" not in r for r in results[n])]
    if scenario in ("idle", "idle-tls"):
        lines += ["| proxy | bytes a connection | PSS, MiB | errors |", "|---|---|---|---|"]
        for name, rows in results.items():
            lines.append(f"| {name} | {median(rows, 'bytes'):.0f} "
                         f"| {median(rows, 'pss_peak') / 2**20:.1f} "
                         f"| {sum(r.get('errors', 1) for r in rows)} |")
        return lines + [""]
    best = min(peers, key=lambda n: median(results[n], "cpu_us"), default=None)
    lines += ["| proxy | CPU us a request | x relay | x best peer | busy | requests/s | p50 us "
              "| p99 us | opened to origin | PSS mean, peak MiB | errors |", "|" + "---|" * 11]
    for name, rows in sorted(results.items(), key=lambda item: median(item[1], "cpu_us")):
        lines.append(
            f"| {name} | {median(rows, 'cpu_us'):.2f} "
            f"| {ratio(rows, results.get('relay', []), 'cpu_us')} "
            f"| {ratio(rows, results.get(best, []), 'cpu_us')} | {median(rows, 'busy'):.2f} "
            f"| {whole(rows, 'rate')} | {whole(rows, 'p50_us')} | {whole(rows, 'p99_us')} "
            f"| {whole(rows, 'opened')} | {median(rows, 'pss_mean') / 2**20:.1f}, "
            f"{median(rows, 'pss_peak') / 2**20:.1f} | {sum(r.get('errors', 0) for r in rows)} |")
    for name, rows in results.items():
        failed = [r["fail"] for r in rows if "fail" in r]
        if failed:
            lines += ["", f"{name}: {len(failed)} of {len(rows)} runs failed: {failed[0]}"]
    return lines + [""]


def system_calls(options):
    """Counts the system calls of River's worker for a burst of small requests, with strace."""
    port, origin_port = free_port(), free_port()
    origin = Process([f"{RUN}/origin", str(origin_port), f"{RUN}/counters"], {1})
    process = Process(proxy_command("river", port, origin_port, 1, options), {0})
    try:
        wait_port(port, process)
        worker = process.pids()[-1]
        load = Process([f"{RUN}/load", "-p", str(port), "-d", "3", "-w", "1", "-c", "64"], {1},
                       stdout=subprocess.PIPE, text=True)
        time.sleep(1.2)
        with tempfile.NamedTemporaryFile("r") as out:
            trace = subprocess.Popen(["strace", "-f", "-c", "-o", out.name, "-p", str(worker)],
                                     stderr=subprocess.DEVNULL)
            time.sleep(2)
            trace.send_signal(signal.SIGINT)
            trace.wait()
            text = out.read()
        load.popen.communicate(timeout=20)
        calls = {f[-1]: int(f[3]) for f in (l.split() for l in text.splitlines())
                 if len(f) >= 5 and f[3].isdigit()}
        total = calls.pop("total", sum(calls.values()))
        requests = calls.get("recvfrom", 2) / 2
        print("### system calls of a small request (64 clients)\n")
        print(f"total {total / requests:.2f}: " +
              ", ".join(f"{k} {v / requests:.2f}"
                        for k, v in sorted(calls.items(), key=lambda i: -i[1])
                        if v / requests > 0.004) + "\n")
    finally:
        process.end()
        origin.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--only", default="relay,nginx,haproxy,nghttpx,h2o,lighttpd,river")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--river", default=f"{ROOT}/build/river")
    parser.add_argument("--unchecked", default="", help="the same binary without bounds checks")
    parser.add_argument("--save", action="store_true", help="keep the table in bench/history")
    parser.add_argument("--system-calls", action="store_true")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        for name, (what, arguments, _) in SCENARIOS.items():
            print(f"{name:10} {what} ({arguments})")
        return 0
    build_tools()
    if options.system_calls:
        system_calls(options)
        return 0
    names = options.only.split(",") + (["river-unchecked"] if options.unchecked else [])
    here = os.environ["PATH"] + ":/usr/sbin"
    names = [n for n in names if n not in ("nghttpx", "h2o", "lighttpd") or
             shutil.which(n, path=here)]
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
                            capture_output=True, text=True).stdout.strip()
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*:\s*(.*)", f.read())
    head = [f"# Benchmark of {datetime.date.today()}, commit {commit}", "",
            f"{os.cpu_count()} processors, {model.group(1) if model else platform.machine()}, "
            f"Linux {platform.release()}; {options.rounds} rounds of {options.seconds} s.", ""]
    print("\n".join(head), flush=True)
    text, broken = head, 0
    for scenario in options.scenarios.split(","):
        left_out = {"relay"} if scenario in ("reuse", "burst", *SEALED) else set()
        left_out |= {"nghttpx"} if scenario not in SEALED else set()
        left_out |= ({"relay", "haproxy", "river-unchecked"} if scenario in STATIC
                     else {"h2o", "lighttpd"})
        results = {name: [] for name in names if name not in left_out}
        idle = scenario in ("idle", "idle-tls")
        for number in range(min(options.rounds, 2) if idle else options.rounds):
            order = list(results) if number % 2 == 0 else list(results)[::-1]
            for name in order:
                result = measure(name, scenario, options)
                results[name].append(result)
                print(f"  {scenario} {number + 1}/{options.rounds} {name}: "
                      + (result.get("fail") or f"{result.get('cpu_us', result.get('bytes')):.2f}"),
                      file=sys.stderr, flush=True)
        lines = table(scenario, results)
        broken += any("fail" in r or r.get("errors") for r in results.get("river", []))
        print("\n".join(lines), flush=True)
        text += lines
    if options.save:
        stamp = datetime.datetime.now().strftime("%Y-%m-%d-%H%M")
        path = f"{HERE}/history/{stamp}-{commit}.md"
        with open(path, "w") as f:
            f.write("\n".join(text))
        print(f"kept in bench/history/{os.path.basename(path)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
