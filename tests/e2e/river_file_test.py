#!/usr/bin/env python3
"""The first service of River 0.5's own test configuration, with what is built so far: plain and
TLS listeners that offer HTTP/2, and an origin by name that may speak either version."""

import subprocess

from certificates import Authority
from harness import Test, main

SERVICE = """Example1 {{
    listeners {{
        "{plain}"
        "{sealed}" cert-path="{site.chain}" key-path="{site.key}" offer-h2=true
    }}
    connectors {{
        load-balance {{
            selection "RoundRobin"
            discovery "Static"
            health-check "None"
        }}
        "{origin}" tls-sni="onevariable.com" proto="h2-or-h1" ca-path="{ca}"
    }}
}}
"""


class OwnFile(Test):
    def test_example1_serves_both_versions_from_origins_of_both(self):
        authority = Authority(self.directory(), "ca")
        site = authority.issue("site", names=["a.example"])
        theirs = authority.issue("theirs", names=["onevariable.com"])
        for offer in ("true", "false"):
            plain, sealed, origin = self.port(), self.port(), self.port()
            self.river(f'origin {{ listeners {{ "{origin}" cert-path="{theirs.chain}" '
                       f'key-path="{theirs.key}" offer-h2={offer}; }}; '
                       'respond status=200 body="from the origin" }',
                       'log { access "stdout"; }')
            front = self.river(SERVICE.format(plain=plain, sealed=sealed, site=site, origin=origin,
                                              ca=authority.pem))
            for version, shown in (("--http1.1", "1.1"), ("--http2", "2")):
                done = subprocess.run(
                    ["curl", "-s", version, "--cacert", authority.pem, "--resolve",
                     f"a.example:{sealed.number}:127.0.0.1", "-w", " %{http_version}",
                     f"https://a.example:{sealed.number}/"], capture_output=True, text=True,
                    timeout=20, check=True)
                self.assertEqual(done.stdout, f"from the origin {shown}")
            done = subprocess.run(["curl", "-s", f"http://{plain}/"], capture_output=True,
                                  text=True, timeout=20, check=True)
            self.assertEqual(done.stdout, "from the origin")
            self.assertEqual(front.status()["worker"]["faults"], {})


if __name__ == "__main__":
    main()
