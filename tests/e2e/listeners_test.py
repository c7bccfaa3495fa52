"""Where clients arrive, and where origins live: IPv4, IPv6 (both at once), Unix sockets."""

import os
import socket
import stat
import time

from harness import (Port, River, Test, always, answer, command, connect, get, main, proxy,
                     wait_until)


class Listeners(Test):
    def setUp(self):
        self.seen = []
        self.origin_ = self.origin(always(answer("x"), self.seen))

    def test_several_addresses_of_one_service(self):
        ports = [self.port(), self.port(), self.port("::1")]
        self.river(proxy(ports, self.origin_))
        for port in ports:
            self.assertEqual(self.connect(port).ask(get()).body, b"x")
        self.assertEqual([r.get("x-forwarded-for") for r in self.seen],
                         ["127.0.0.1", "127.0.0.1", "::1"])

    def test_the_ipv6_wildcard_serves_both_families(self):
        port = self.port()
        self.river(proxy(f"[::]:{port.number}", self.origin_))
        for host in ("127.0.0.1", "::1"):
            self.assertEqual(self.connect((host, port.number)).ask(get()).body, b"x")
        self.assertEqual([r.get("x-forwarded-for") for r in self.seen], ["127.0.0.1", "::1"])

    def test_the_ipv4_wildcard_serves_ipv4_only(self):
        port = self.port()
        self.river(proxy(f"0.0.0.0:{port.number}", self.origin_))
        self.assertEqual(self.connect(port).ask(get()).body, b"x")
        with self.assertRaises(OSError):
            connect(("::1", port.number))

    def test_a_unix_socket_with_its_mode(self):
        path = os.path.join(self.directory(), "in.sock")
        river = self.river(proxy(f'{path} mode="0660"', self.origin_))
        about = os.stat(path)
        self.assertTrue(stat.S_ISSOCK(about.st_mode))
        self.assertEqual(stat.S_IMODE(about.st_mode), 0o660)
        self.assertEqual(self.connect(path).ask(get()).body, b"x")
        river.close()
        self.assertFalse(os.path.exists(path))

    def test_a_stale_socket_is_replaced_a_live_one_is_not(self):
        path = os.path.join(self.directory(), "in.sock")
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(path)
        stale.close()
        first = self.river(proxy(path, self.origin_))
        self.assertEqual(self.connect(path).ask(get()).body, b"x")
        second = self.own(River(proxy(path, self.origin_), wait=False))
        self.assertEqual(second.wait(), 3)
        self.assertIn("a process answers there already", second.errors())
        self.assertEqual(self.connect(path).ask(get()).body, b"x")
        self.assertIsNone(first.process.poll())

    def test_a_file_that_is_no_socket_stays(self):
        path = os.path.join(self.directory(), "precious")
        with open(path, "w", encoding="utf-8") as file:
            file.write("data")
        river = self.own(River(proxy(path, self.origin_), wait=False))
        self.assertEqual(river.wait(), 3)
        self.assertIn("not a socket", river.errors())
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "data")

    def test_a_port_in_use_says_so(self):
        used = socket.socket()
        used.bind(("127.0.0.1", 0))
        used.listen()
        name = f"127.0.0.1:{used.getsockname()[1]}"
        river = self.own(River(proxy(name, self.origin_), wait=False))
        self.assertEqual(river.wait(), 3)
        self.assertIn(f"cannot listen on {name}: the address is in use", river.errors())
        used.close()

    def test_a_port_that_is_let_go_a_little_later(self):
        used = socket.socket()
        used.bind(("127.0.0.1", 0))
        used.listen()
        name = f"127.0.0.1:{used.getsockname()[1]}"
        river = self.own(River(proxy(name, self.origin_), wait=False))
        time.sleep(0.3)
        self.assertIsNone(river.process.poll())
        used.close()
        wait_until(river.is_up, "River starts")
        there = ("127.0.0.1", int(name.rsplit(":", 1)[1]))
        self.assertEqual(self.connect(there).ask(get()).body, b"x")

    def test_an_address_of_another_machine(self):
        river = self.own(River(proxy("192.0.2.1:8080", self.origin_), wait=False))
        self.assertEqual(river.wait(), 3)
        self.assertIn("does not have that address", river.errors())


class Upstreams(Test):
    def test_ipv4_ipv6_and_unix_origins(self):
        path = os.path.join(self.directory(), "origin.sock")
        for at in ("127.0.0.1", "::1", path):
            with self.subTest(at):
                origin = self.origin(always(answer(at)), at)
                port = self.port()
                self.river(proxy(port, origin))
                self.assertEqual(self.connect(port).ask(get()).body.decode(), at)

    def test_round_robin_and_random_reach_all(self):
        for selection in ("RoundRobin", "Random"):
            with self.subTest(selection):
                origins = [self.origin(always(answer(str(i)))) for i in range(3)]
                port = self.port()
                self.river(proxy(port, origins, selection=selection))
                peer = self.connect(port)
                answers = [peer.ask(get()).body for _ in range(60)]
                self.assertEqual(set(answers), {b"0", b"1", b"2"})
                if selection == "RoundRobin":
                    self.assertEqual([answers.count(b"%d" % i) for i in range(3)], [20, 20, 20])

    def test_weights(self):
        origins = [self.origin(always(answer(str(i)))) for i in range(2)]
        port = self.port()
        self.river(proxy(port, [f"{origins[0]} weight=3", origins[1]], selection="RoundRobin"))
        peer = self.connect(port)
        answers = [peer.ask(get()).body for _ in range(40)]
        self.assertEqual(answers.count(b"0"), 30)

    def test_several_services(self):
        ports = [self.port() for _ in range(3)]
        services = ""
        for i, port in enumerate(ports):
            services += proxy(port, self.origin(always(answer(str(i)))), name=f"s{i}")
        self.river(services)
        for i, port in enumerate(ports):
            self.assertEqual(self.connect(port).ask(get()).body, b"%d" % i)

    def test_respond(self):
        port = self.port()
        self.river(f'hi {{ listeners {{ "{port}"; }}\n'
                   'respond status=203 content-type="text/x" body="hello\\n" }')
        peer = self.connect(port)
        response = peer.ask(get())
        self.assertEqual((response.status, response.get("content-type"), response.body),
                         (203, "text/x", b"hello\n"))
        self.assertEqual(peer.ask(get(method="HEAD"), "HEAD").get("content-length"), "6")

    def test_nobody_at_all_is_502(self):
        port, dead = self.port(), Port()
        self.river(proxy(port, dead))
        response = self.connect(port).ask(get())
        self.assertEqual(response.status, 502)
        dead.close()


class Fixed(Test):
    def test_host_and_port_is_no_path(self):
        path = os.path.join(self.directory(), "river.kdl")
        with open(path, "w", encoding="utf-8") as file:
            file.write("services {\n" + proxy("localhost:80", "127.0.0.1:1") + "}\n")
        result = command("check", path)
        self.assertEqual(result.returncode, 1)
        self.assertIn("localhost:80", result.stderr)


if __name__ == "__main__":
    main()
