"""Another configuration while River runs: what changes, what stays, and what is refused."""

import os
import random
import signal
import socket
import threading
import time

from harness import (Test, always, answer, command, connect, get, is_sanitized, main, proxy,
                     wait_until)


def service(listener, body, more="", name="app"):
    return (f'{name} {{\n listeners {{ "{listener}"; }}\n'
            f' respond status=200 body="{body}"\n{more}\n}}\n')


def write(river, services, system=""):
    with open(river.config + ".new", "w", encoding="utf-8") as file:
        file.write(f"system {{\n{system}\n}}\nservices {{\n{services}\n}}\n")
    os.rename(river.config + ".new", river.config)


def replaced(river, worker):
    """Whether another worker serves; who asks while one dies may get half an answer."""
    try:
        status = river.status()
    except (OSError, ValueError):
        return False
    return status["worker_pid"] not in (0, worker) and status["worker"]


def reload(river, *flags):
    return command("reload", *(flags or ("--wait",)), "--control-socket", river.control)


class ReloadTest(Test):
    def change(self, river, services, system=""):
        """Reloads, which must succeed; the answer without its last line."""
        write(river, services, system)
        result = reload(river)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        self.assertTrue(result.stdout.endswith("reloaded\n"), result.stdout)
        return result.stdout[:-len("reloaded\n")]


class Changes(ReloadTest):
    def test_a_request_on_an_open_connection_is_judged_by_the_new_configuration(self):
        port = self.port()
        river = self.river(service(port, "one"))
        peer = self.connect(port)
        self.assertEqual(peer.ask(get()).body, b"one")
        worker = river.status()["worker_pid"]
        self.assertEqual(self.change(river, service(port, "two")), "~ service app: respond body\n")
        self.assertEqual(peer.ask(get()).body, b"two")
        status = river.status()
        self.assertEqual((status["worker_pid"], status["reloads"]), (worker, 1))

    def test_services_and_listeners_come_and_go(self):
        one, two = self.port(), self.port()
        river = self.river(service(one, "one"))
        diff = self.change(river, service(one, "one") + service(two, "two", name="second"))
        self.assertEqual(diff, f"+ service second\n+ listener {two}\n")
        self.assertEqual(self.connect(one).ask(get()).body, b"one")
        self.assertEqual(self.connect(two).ask(get()).body, b"two")
        self.assertEqual([s["name"] for s in river.status()["worker"]["services"]],
                         ["app", "second"])
        diff = self.change(river, service(two, "two", name="second"))
        self.assertEqual(diff, f"- service app\n- listener {one}\n")
        wait_until(lambda: not self.accepts(one), "nobody listens any more")
        self.assertEqual(self.connect(two).ask(get()).body, b"two")

    def accepts(self, port):
        try:
            connect(port).close()
            return True
        except OSError:
            return False

    def test_a_listener_that_vanishes_finishes_what_is_under_way(self):
        go = threading.Event()

        def script(peer):
            while peer.request():
                go.wait(10)
                peer.send(answer("late"))
        origin = self.origin(script)
        one, two = self.port(), self.port()
        river = self.river(proxy(one, origin))
        busy, idle = self.connect(one), self.connect(one)
        busy.send(get())
        wait_until(lambda: river.status()["worker"]["active"] == 1, "it waits for the origin")
        self.change(river, service(two, "two", name="second"))
        idle.send(get())  # was on its way when the listener went
        go.set()
        for peer in (busy, idle):
            response = peer.response()
            self.assertEqual((response.status, response.body), (200, b"late"))
            self.assertEqual(response.get("connection"), "close")
            self.assertTrue(peer.is_closed())

    def test_an_idle_connection_of_a_listener_that_vanishes_ends(self):
        one, two = self.port(), self.port()
        river = self.river(service(one, "one"))
        peer = self.connect(one)
        self.assertEqual(peer.ask(get()).status, 200)
        self.change(river, service(two, "two"))
        self.assertTrue(peer.is_closed())
        wait_until(lambda: river.status()["worker"]["connections"] == 0, "it is forgotten")

    def test_a_unix_socket_keeps_its_mode_where_a_reload_fails(self):
        path = os.path.join(self.directory(), "socket")
        river = self.river(f'a {{ listeners {{ "{path}" mode="0600" }}; respond }}')
        wide = f'a {{ listeners {{ "{path}" mode="0666" }}; respond }}'
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = "127.0.0.1:%d" % other.getsockname()[1]
            write(river, wide + service(taken, "x", name="b"))
            self.assertEqual(reload(river).returncode, 1)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.change(river, wide)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o666)

    def test_a_unix_socket_comes_with_its_mode_and_goes_with_its_file(self):
        path = os.path.join(self.directory(), "river.sock")
        port = self.port()
        river = self.river(service(port, "one"))
        text = (f'app {{ listeners {{ "{port}"; "{path}" mode="0600"; }}\n'
                ' respond status=200 body="one"\n}')
        self.change(river, text)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(self.connect(path).ask(get()).body, b"one")
        self.change(river, text.replace("0600", "0660"))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o660)
        self.assertEqual(self.connect(path).ask(get()).body, b"one")
        self.change(river, service(port, "one"))
        self.assertFalse(os.path.exists(path))

    def test_sighup_reloads(self):
        port = self.port()
        river = self.river(service(port, "one"))
        write(river, service(port, "two"))
        river.signal(signal.SIGHUP)
        wait_until(lambda: "configuration reloaded" in river.errors(), "it says so")
        self.assertEqual(self.connect(port).ask(get()).body, b"two")

    def test_without_waiting_the_answer_comes_when_it_is_checked(self):
        port = self.port()
        river = self.river(service(port, "one"))
        write(river, service(port, "two"))
        result = command("reload", "--control-socket", river.control)
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stdout,
                         "~ service app: respond body\nchecked; the worker takes it up\n")
        wait_until(lambda: self.connect(port).ask(get()).body == b"two", "it takes it up")

    def test_what_has_not_changed_is_said_to_be_so(self):
        port = self.port()
        river = self.river(service(port, "one"))
        result = reload(river)
        self.assertEqual((result.returncode, result.stdout), (0, "nothing has changed\n"))

    def test_a_worker_that_dies_later_starts_with_the_new_one(self):
        port = self.port()
        river = self.river(service(port, "one"))
        self.change(river, service(port, "two"))
        river.deaths_expected = True
        worker = river.status()["worker_pid"]
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: replaced(river, worker), "another one serves")
        self.assertEqual(self.connect(port).ask(get()).body, b"two")


class Overlap(ReloadTest):
    """An address that overlaps with one that goes: for a moment both are bound."""

    def setUp(self):
        super().setUp()
        self.number = self.port().number
        self.wanted = {"127.0.0.1": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::1]": "::1",
                       "[::]": "::1"}

    def text(self, *hosts):
        return "".join(service(f"{host}:{self.number}", host, name=f"s{i}")
                       for i, host in enumerate(hosts))

    def served(self, address):
        """The listener that answers there; None: nobody listens; empty: no answer came."""
        try:
            with socket.create_connection((address, self.number), timeout=5) as peer:
                peer.sendall(get("/", "Connection: close"))
                return peer.makefile("rb").read().partition(b"\r\n\r\n")[2].decode()
        except ConnectionRefusedError:
            return None
        except (ConnectionResetError, TimeoutError):
            return ""

    def test_each_to_each(self):
        steps = ["127.0.0.1", "0.0.0.0", "[::]", "127.0.0.1", "[::]", "0.0.0.0", "[::]",
                 "127.0.0.1 [::]", "[::]", "0.0.0.0 [::1]", "[::]", "[::1]", "[::]"]
        river = self.river(self.text(steps[0]))
        for step in steps[1:]:
            hosts = step.split()
            self.change(river, self.text(*hosts))
            four = [h for h in hosts if h[0] != "["] or [h for h in hosts if h == "[::]"]
            six = [h for h in hosts if h[0] == "["]
            for address, want in (("127.0.0.1", four), ("::1", six)):
                wait_until(lambda: self.served(address) == (want[0] if want else None),
                           f"{address} is right after {step}")

    def test_nobody_is_refused_meanwhile(self):
        river = self.river(self.text("127.0.0.1"))
        failed, done = [], threading.Event()

        def clients():
            while not done.is_set():
                # One that is reset was in the queue of the socket that goes.
                if self.served("127.0.0.1") is None:
                    failed.append("refused")
        threads = [threading.Thread(target=clients) for _ in range(4)]
        for thread in threads:
            thread.start()
        for i in range(20):
            self.change(river, self.text("127.0.0.1" if i % 2 else "0.0.0.0"))
            time.sleep(0.05)
        done.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])

    def test_what_a_start_refuses_a_reload_refuses(self):
        river = self.river(self.text("127.0.0.1"))
        write(river, self.text("127.0.0.1", "0.0.0.0"))
        result = reload(river)
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"cannot listen on 0.0.0.0:{self.number}: the address is in use",
                      result.stdout)
        self.assertEqual(self.served("127.0.0.1"), "127.0.0.1")

    def test_the_port_is_not_left_to_others(self):
        river = self.river(self.text("127.0.0.1"))
        self.change(river, self.text("0.0.0.0"))
        for address in ("127.0.0.1", "0.0.0.0"):
            with socket.socket() as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with self.assertRaises(OSError):
                    other.bind((address, self.number))
                    other.listen()


class Stays(ReloadTest):
    """What a reload must not touch."""

    def test_pools_counters_and_buckets_of_what_has_not_changed(self):
        one, two = self.port(), self.port()
        origin = self.origin(always(answer("x")))
        limit = ('rate-limiting { rule kind="source-ip" max-buckets=10 tokens-per-bucket=3 '
                 'refill-qty=1 refill-rate-ms=3600000; }')
        river = self.river(proxy(one, origin, limit))
        self.assertEqual(self.connect(one).ask(get()).status, 200)
        for body in ("one", "two", "three"):
            self.change(river, proxy(one, origin, limit) + service(two, body, name="other"))
        self.assertEqual([self.connect(one).ask(get()).status for _ in range(3)],
                         [200, 200, 429])
        wait_until(lambda: river.status()["worker"]["services"][0]["requests"] == 4,
                   "all are counted")
        status = river.status()["worker"]
        self.assertEqual(len(origin.peers), 1)
        self.assertEqual(status["upstreams"][0]["opened"], 1)

    def test_they_also_stay_where_something_else_of_the_service_has_changed(self):
        port = self.port()
        origin = self.origin(always(answer("x")))
        limit = ('rate-limiting { rule kind="source-ip" max-buckets=10 tokens-per-bucket=2 '
                 'refill-qty=1 refill-rate-ms=3600000; }\n')
        river = self.river(proxy(port, origin, limit))
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        self.change(river, proxy(port, origin, limit + "retries 0"))
        self.assertEqual([self.connect(port).ask(get()).status for _ in range(2)], [200, 429])
        self.assertEqual(len(origin.peers), 1)

    def test_an_endpoint_that_vanishes_loses_its_idle_connections(self):
        port = self.port()
        old, fresh = self.origin(always(answer("old"))), self.origin(always(answer("new")))
        river = self.river(proxy(port, old))
        self.assertEqual(self.connect(port).ask(get()).body, b"old")
        self.change(river, proxy(port, fresh))
        wait_until(lambda: old.peers[0].socket.fileno() == -1, "it is closed")
        self.assertEqual(self.connect(port).ask(get()).body, b"new")
        wait_until(lambda: [u["name"] for u in river.status()["worker"]["upstreams"]] ==
                   [str(fresh)], "it is forgotten")

    def test_a_download_goes_on_by_the_old_configuration(self):
        go = threading.Event()

        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            go.wait(10)
            peer.send("rest")
        port = self.port()
        river = self.river(proxy(port, self.origin(script)))
        peer = self.connect(port)
        peer.send(get())
        peer.until(b"half")
        for i in range(5):
            self.change(river, service(port, str(i)))
        go.set()
        peer.until(b"rest")
        self.assertEqual(peer.ask(get()).body, b"4")

    def test_a_tunnel_goes_on(self):
        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                      "Upgrade: websocket\r\n\r\n")
            while True:
                peer.send(peer.until(b".").upper())
        port = self.port()
        river = self.river(proxy(port, self.origin(script)))
        peer = self.connect(port)
        peer.send(get("/", "Connection: upgrade", "Upgrade: websocket"))
        peer.until(b"\r\n\r\n")
        for i in range(5):
            self.change(river, service(port, str(i)))
            peer.send(f"message {i}.")
            peer.until(f"MESSAGE {i}.".encode())


class Refused(ReloadTest):
    def refused(self, river, *words):
        result = reload(river)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertTrue(result.stdout.endswith("not reloaded; the old configuration stays\n"),
                        result.stdout)
        for word in words:
            self.assertIn(word, result.stdout)
        self.assertIn("configuration not reloaded", river.errors())
        return result.stdout

    def test_mistakes_are_shown_and_the_old_one_stays(self):
        port = self.port()
        river = self.river(service(port, "one"))
        write(river, service(port, "two", more="no-such-option 1\nretries -1"))
        shown = self.refused(river, "2 mistakes in the configuration", "no-such-option")
        self.assertIn(f"{river.config}:8:1: error:", shown)
        self.assertIn("mistake in the configuration", river.errors())
        self.assertEqual(self.connect(port).ask(get()).body, b"one")
        self.assertEqual(self.change(river, service(port, "two")), "~ service app: respond body\n")

    def test_an_address_that_is_taken(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        other = f"127.0.0.1:{taken.getsockname()[1]}"
        port, free = self.port(), self.port()
        river = self.river(service(port, "one"))
        write(river, service(port, "two") + service(free, "x", name="b") +
              service(other, "x", name="c"))
        self.refused(river, f"cannot listen on {other}: the address is in use")
        self.assertEqual(self.connect(port).ask(get()).body, b"one")
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", int(str(free).split(":")[1]))), 0)

    def test_a_file_that_is_gone(self):
        port = self.port()
        river = self.river(service(port, "one"))
        os.remove(river.config)
        self.refused(river, "cannot read")
        self.assertEqual(self.connect(port).ask(get()).body, b"one")

    def test_a_directory_that_is_gone(self):
        port = self.port()
        river = self.river(service(port, "one"))
        write(river, f'app {{ listeners {{ "{port}"; }}\n'
                     ' file-server { base-path "/no/such"; } }')
        self.refused(river, "cannot serve files from here")

    def test_nobody_answers(self):
        result = command("reload", "--control-socket", "/no/such/socket")
        self.assertEqual(result.returncode, 3)
        self.assertIn("no River answers at /no/such/socket", result.stderr)


class Rollback(ReloadTest):
    def test_back_and_forth(self):
        port = self.port()
        river = self.river(service(port, "one"))
        self.change(river, service(port, "two"))
        for body in (b"one", b"two", b"one"):
            result = reload(river, "--rollback", "--wait")
            self.assertEqual((result.returncode, result.stdout),
                             (0, "~ service app: respond body\nreloaded\n"))
            self.assertEqual(self.connect(port).ask(get()).body, body)

    def test_listeners_come_back(self):
        one, two = self.port(), self.port()
        river = self.river(service(one, "one"))
        self.change(river, service(two, "two"))
        self.assertEqual(reload(river, "--rollback", "--wait").returncode, 0)
        self.assertEqual(self.connect(one).ask(get()).body, b"one")

    def test_there_is_nothing_before_the_first(self):
        port = self.port()
        river = self.river(service(port, "one"))
        result = reload(river, "--rollback")
        self.assertEqual(result.returncode, 1)
        self.assertIn("there is no configuration before this one", result.stdout)


class Watch(ReloadTest):
    def test_what_was_gone_back_to_stays(self):
        port = self.port()
        river = self.river(service(port, "one"), system="watch true")
        self.change(river, service(port, "two"), system="watch true")
        self.assertEqual(reload(river, "--rollback", "--wait").returncode, 0)
        time.sleep(3)
        self.assertEqual(self.connect(port).ask(get()).body, b"one")
        write(river, service(port, "three"), system="watch true")
        wait_until(lambda: self.connect(port).ask(get()).body == b"three", "it notices")

    def test_a_change_is_noticed(self):
        port = self.port()
        river = self.river(service(port, "one"), system="watch true")
        write(river, service(port, "two"), system="watch true")
        wait_until(lambda: "configuration reloaded" in river.errors(), "it notices")
        self.assertEqual(self.connect(port).ask(get()).body, b"two")
        write(river, service(port, "three", more="nonsense"), system="watch true")
        wait_until(lambda: "configuration not reloaded" in river.errors(), "it notices")
        time.sleep(3)
        self.assertEqual(river.errors().count("configuration not reloaded"), 1)

    def test_a_file_that_it_names(self):
        port = self.port()
        addresses = os.path.join(self.directory(), "blocked")
        with open(addresses, "w", encoding="utf-8") as file:
            file.write("192.0.2.1\n")
        block = (f'path-control {{ request-filters {{ filter kind="block-cidr-range" '
                 f'addrs-file="{addresses}"; }} }}')
        river = self.river(service(port, "one", block), system="watch true")
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        with open(addresses, "w", encoding="utf-8") as file:
            file.write("127.0.0.1\n")
        wait_until(lambda: "configuration reloaded" in river.errors(), "it notices")
        self.assertEqual(self.connect(port).ask(get()).status, 403)


class FreshWorker(ReloadTest):
    """What a worker cannot get later comes with another one."""

    def files(self, port, directory):
        return (f'app {{ listeners {{ "{port}"; }}\n'
                f' file-server {{ base-path "{directory}"; }} }}')

    def test_another_directory(self):
        directories = [self.directory(), self.directory()]
        for i, directory in enumerate(directories):
            with open(os.path.join(directory, "a.txt"), "w", encoding="utf-8") as file:
                file.write(f"of {i}")
        port = self.port()
        river = self.river(self.files(port, directories[0]))
        peer = self.connect(port)
        self.assertEqual(peer.ask(get("/a.txt")).body, b"of 0")
        worker = river.status()["worker_pid"]
        self.change(river, self.files(port, directories[1]))
        self.assertNotEqual(river.status()["worker_pid"], worker)
        self.assertEqual(self.connect(port).ask(get("/a.txt")).body, b"of 1")
        response = peer.ask(get("/a.txt"))  # the old one finishes what was open
        self.assertEqual((response.status, response.get("connection")), (200, "close"))
        wait_until(lambda: not os.path.exists(f"/proc/{worker}") or self.is_zombie(worker),
                   "the old one ends")
        self.assertNotIn("worker died", river.errors())

    def is_zombie(self, pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"

    def test_other_threads(self):
        port = self.port()
        river = self.river(service(port, "one"), system="threads-per-service 1", threads=None)
        self.assertEqual(river.status()["worker"]["threads"], 1)
        diff = self.change(river, service(port, "one"), system="threads-per-service 2")
        self.assertEqual(diff, "~ system: threads-per-service\n")
        self.assertEqual(river.status()["worker"]["threads"], 2)
        self.assertEqual(self.connect(port).ask(get()).body, b"one")

    def test_other_logs(self):
        port = self.port()
        path = os.path.join(self.directory(), "access.log")
        river = self.river(service(port, "one"))
        self.change(river, service(port, "one"), system=f'log {{ access "{path}"; }}')
        self.connect(port).ask(get())
        wait_until(lambda: os.path.getsize(path) > 0, "the line is written")

    def test_a_long_download_is_finished_by_the_old_one(self):
        go = threading.Event()

        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            go.wait(10)
            peer.send("rest")
        port = self.port()
        river = self.river(proxy(port, self.origin(script)), threads=None,
                           system="threads-per-service 1")
        peer = self.connect(port)
        peer.send(get())
        peer.until(b"half")
        self.change(river, service(port, "new"), system="threads-per-service 2")
        self.assertEqual(self.connect(port).ask(get()).body, b"new")
        go.set()
        peer.until(b"rest")
        self.assertTrue(peer.is_closed())


class AmongMany(ReloadTest):
    """Services whose text has not changed are taken over from the configuration before, or from
    the one that it took them from."""
    COUNT = 200

    def setUp(self):
        super().setUp()
        self.listener = self.port()
        self.bodies = {f"s{i}": "first" for i in range(self.COUNT)}
        self.threads = 1
        self.random = random.Random(5)

    def text(self):
        return "".join(service(self.listener, body, f' hosts "{name}.example"', name)
                       for name, body in self.bodies.items())

    def system(self):
        return f"threads-per-service {self.threads}"

    def edit(self, number):
        """One more, one less, another one, or another order."""
        names = list(self.bodies)
        name = self.random.choice(names)
        kind = number % 5
        if kind == 0:
            self.bodies[name] = f"changed {number}"
        elif kind == 1:
            at = self.random.randrange(len(names))
            items = list(self.bodies.items())
            items.insert(at, (f"n{number}", f"added {number}"))
            self.bodies = dict(items)
        elif kind == 2:
            del self.bodies[name]
        elif kind == 3:
            self.bodies = {f"r{number}" if n == name else n: b for n, b in self.bodies.items()}
        else:
            one, two = self.random.sample(names, 2)
            self.bodies[one], self.bodies[two] = f"one {number}", f"two {number}"

    def look(self, bodies, gone=()):
        peer = self.connect(self.listener)
        changed = [n for n, b in bodies.items() if b != "first"]
        for name in changed[-4:] + self.random.sample(list(bodies), 4):
            got = peer.ask(get(host=f"{name}.example"))
            self.assertEqual(got.body.decode(), bodies[name], name)
        for name in gone:
            self.assertEqual(peer.ask(get(host=f"{name}.example")).status, 421)

    def test_what_is_served_is_what_is_written(self):
        river = self.river(self.text(), system=self.system())
        river.deaths_expected = True
        for number in range(40):
            before = dict(self.bodies)
            self.edit(number)
            if number % 17 == 16:
                self.threads = 3 - self.threads  # a fresh worker
            self.change(river, self.text(), self.system())
            self.look(self.bodies, set(before) - set(self.bodies))
            if number % 7 == 6:
                self.assertEqual(reload(river, "--rollback", "--wait").returncode, 0)
                self.look(before, set(self.bodies) - set(before))
                self.bodies = before
            if number % 13 == 12:  # so much that it is read whole, and others take from it
                for name in list(self.bodies)[::2]:
                    self.bodies[name] = f"much {number}"
                self.change(river, self.text(), self.system())
                self.look(self.bodies)
            if number % 19 == 18:
                worker = river.status()["worker_pid"]
                os.kill(worker, signal.SIGKILL)
                wait_until(lambda: replaced(river, worker), "another one serves")
                self.look(self.bodies)

    def test_a_text_in_the_other_version_is_no_mistake(self):
        river = self.river(self.text(), system="watch false")
        for word in ("#false", "false", "#false"):
            self.bodies["s7"] = word
            self.assertNotIn("error", self.change(river, self.text(), f"watch {word}"))
            self.look(self.bodies)

    def test_mistakes_are_shown_at_their_lines(self):
        river = self.river(self.text(), system=self.system())
        self.bodies["s7"] = "second"
        self.change(river, self.text(), self.system())
        write(river, self.text().replace("second", 'second" bodyy="'), self.system())
        result = reload(river)
        self.assertEqual(result.returncode, 1)
        line = 5 + 7 * 5 + 2
        self.assertIn(f".kdl:{line}:", result.stdout)
        self.assertIn("`bodyy`", result.stdout)
        self.look(self.bodies)


class Many(ReloadTest):
    def memory(self, pid):
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))

    def descriptors(self, pid):
        return len(os.listdir(f"/proc/{pid}/fd"))

    def test_a_hundred_reloads_leave_no_trace(self):
        one, two = self.port(), self.port()
        origin = self.origin(always(answer("x")))
        river = self.river(proxy(one, origin))
        worker = river.status()["worker_pid"]
        peer = self.connect(one)

        def rounds(count):
            for i in range(count):
                more = service(two, str(i), name="second") if i % 2 else ""
                self.change(river, proxy(one, origin, f'host "h{i}"') + more)
                self.assertEqual(peer.ask(get()).status, 200)
        rounds(20)
        before = [(self.memory(p), self.descriptors(p)) for p in (river.pid, worker)]
        rounds(100)
        time.sleep(0.5)
        after = [(self.memory(p), self.descriptors(p)) for p in (river.pid, worker)]
        for (kib, fds), (kib_after, fds_after) in zip(before, after):
            if not is_sanitized():  # ASan keeps what was freed
                self.assertLess(kib_after, kib + 1024)
            self.assertEqual(fds_after, fds)
        self.assertEqual(river.status()["worker_pid"], worker)


if __name__ == "__main__":
    main()
