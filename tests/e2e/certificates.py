#!/usr/bin/env python3
"""Certificates for tests, made by the openssl command: an authority, and what it signs.

    authority = Authority(directory, "ca")
    pair = authority.issue("site", names=["a.example", "*.b.example"])
    pair.chain, pair.key        # paths of PEM files
    authority.crl(revoked)      # path of a PEM file
    authority.list("new", number=2, next_update="20300101000000Z", revoked=[pair])
    authority.ocsp(pair)        # path of a DER file

As a program it writes the set that the unit tests use: certificates.py DIRECTORY [STAMP].
"""

import os
import subprocess
import sys

CONFIG = """
[ca]
default_ca = this
[this]
database = {base}.index
serial = {base}.serial
crlnumber = {base}.crlnumber
new_certs_dir = {directory}
certificate = {base}.pem
private_key = {base}.key
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
default_days = 3650
default_crl_days = 3650
x509_extensions = {kind}
[any]
countryName = optional
organizationName = optional
commonName = optional
[leaf]
basicConstraints = CA:FALSE
keyUsage = digitalSignature, keyEncipherment
extendedKeyUsage = {usage}
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[list]
{list}
[points]
fullname = URI:{scope}
[req]
distinguished_name = name
[name]
"""
KINDS = {
    "ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
    "ed25519": ["-newkey", "ed25519"],
}


def openssl(*words):
    """Runs the command; what it says is shown only when it fails."""
    done = subprocess.run(["openssl", *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(words)}\n{done.stderr}")
    return done.stdout


class Pair:
    """A certificate and its key, as files."""

    def __init__(self, chain, key):
        self.chain = chain
        self.key = key


class Authority:
    """Signs certificates, and remembers them for lists of the revoked."""

    def __init__(self, directory, name, subject=None, issuer=None):
        """`subject`: another one than its name says; `issuer`: the authority above it."""
        self.directory = directory
        self.base = os.path.join(directory, name)
        self.pem = self.base + ".pem"
        for end, text in ((".index", ""), (".serial", "1001\n"), (".crlnumber", "01\n")):
            self._write(self.base + end, text)
        subject = subject or f"/CN=River test {name}"
        if issuer:
            issuer.issue(name, subject=subject, section="authority")
            return
        openssl("req", "-x509", *KINDS["ecdsa"], "-nodes", "-keyout", self.base + ".key", "-out",
                self.pem, "-days", "3650", "-subj", subject, "-addext",
                "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")

    @staticmethod
    def _write(path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def _config(self, usage="serverAuth, clientAuth", **more):
        path = self.base + ".cnf"
        words = {"kind": "leaf", "list": "", "scope": "http://none.test", **more}
        self._write(path, CONFIG.format(base=self.base, directory=self.directory, usage=usage,
                                        **words))
        return path

    def issue(self, name, names=(), kind="ecdsa", subject=None, period=None, section="leaf",
              usage="serverAuth, clientAuth", scope=None):
        """`names` are DNS names, or "IP:…"; `period` is (from, to) as YYYYMMDDHHMMSSZ; `section`
        is "authority" for another authority; `scope` is the URI of the list that it may be in."""
        base = os.path.join(self.directory, name)
        config = self._config(kind=section, usage=usage)
        extension = ",".join(n if ":" in n else "DNS:" + n for n in names)
        openssl("req", "-new", "-config", config, *KINDS[kind], "-nodes", "-keyout", base + ".key",
                "-out", base + ".csr", "-subj", subject or f"/CN={name}",
                *(["-addext", "subjectAltName=" + extension] if names else []),
                *(["-addext", "crlDistributionPoints=URI:" + scope] if scope else []))
        openssl("ca", "-batch", "-notext", "-config", config, "-in", base + ".csr", "-out",
                base + ".pem",
                *(["-startdate", period[0], "-enddate", period[1]] if period else []))
        os.remove(base + ".csr")
        return Pair(base + ".pem", base + ".key")

    def crl(self, *revoked):
        """Revokes these, and writes the list of all that are."""
        for pair in revoked:
            openssl("ca", "-config", self._config(), "-revoke", pair.chain)
        path = self.base + ".crl"
        openssl("ca", "-config", self._config(), "-gencrl", "-out", path)
        return path

    def list(self, name, number, revoked=(), period=None, scope=None, key_id=True):
        """A list of its own, beside those of crl(): NAME.crl. `period` is (thisUpdate, nextUpdate)
        as YYYYMMDDHHMMSSZ, `scope` the URI of an issuing distribution point."""
        path = os.path.join(self.directory, name + ".crl")
        lines = (["authorityKeyIdentifier = keyid"] if key_id else []) + (
            ["issuingDistributionPoint = critical, @points"] if scope else [])
        config = self._config(list="\n".join(lines), scope=scope or "http://none.test")
        with open(self.base + ".index", encoding="utf-8") as file:
            kept = file.read()
        self._write(self.base + ".crlnumber", number.to_bytes(8, "big").hex())
        for pair in revoked:
            openssl("ca", "-config", config, "-revoke", pair.chain)
        openssl("ca", "-config", config, "-gencrl", "-out", path,
                *(["-crlexts", "list"] if lines else []),
                *(["-crl_lastupdate", period[0], "-crl_nextupdate", period[1]] if period else []))
        self._write(self.base + ".index", kept)
        return path

    def ocsp(self, pair):
        """The response that a server staples."""
        question = pair.chain + ".ocsp-request"
        answer = pair.chain.removesuffix(".pem") + ".ocsp"
        openssl("ocsp", "-issuer", self.pem, "-cert", pair.chain, "-reqout", question)
        openssl("ocsp", "-index", self.base + ".index", "-CA", self.pem, "-rsigner", self.pem,
                "-rkey", self.base + ".key", "-reqin", question, "-respout", answer, "-ndays",
                "3650")
        os.remove(question)
        return answer


def write_all(directory):
    """What tests/unit/tls_*.c look for."""
    os.makedirs(directory, exist_ok=True)
    ca = Authority(directory, "ca")
    other = Authority(directory, "other-ca")
    site = ca.issue("a", ["a.example", "b.example"])
    ca.issue("a-rsa", ["a.example", "b.example"], kind="rsa")
    ca.issue("wild", ["*.wild.example"])
    ca.issue("exact", ["exact.wild.example"])
    ca.issue("ed", ["ed.example"], kind="ed25519")
    ca.issue("nameless")
    ca.issue("address", ["IP:127.0.0.1"])
    ca.issue("expired", ["a.example"], period=("20200101000000Z", "20210101000000Z"))
    ca.issue("early", ["a.example"], period=("20900101000000Z", "20910101000000Z"))
    ca.issue("client", subject="/C=DE/O=River, Inc./CN=client")
    ca.ocsp(site)
    revoked = ca.issue("revoked", subject="/CN=revoked")
    other.issue("stranger", subject="/CN=stranger")
    other.crl()
    ca.crl(revoked)
    write_lists(directory)
    write_responses(directory, ca, other, site)


def write_lists(directory):
    """Authorities of one name with keys of their own, and lists of whom they have revoked."""
    name = "/CN=River test keys"
    one = Authority(directory, "key-one", subject=name)
    two = Authority(directory, "key-two", subject=name)
    three = Authority(directory, "key-three", subject=name)
    below = Authority(directory, "below", issuer=one)
    alice, bob = (one.issue(who, subject="/CN=" + who) for who in ("alice", "bob"))
    carol, dave = (two.issue(who, subject="/CN=" + who) for who in ("carol", "dave"))
    erin = below.issue("erin", subject="/CN=erin")
    frank = below.issue("frank", subject="/CN=frank")
    grace = one.issue("grace", subject="/CN=grace", scope="http://lists.test/a")
    for pair in (erin, frank):
        with open(pair.chain, "a", encoding="utf-8") as chain, open(
                below.pem, encoding="utf-8") as file:
            chain.write(file.read())
    year = [f"20{n}0101000000Z" for n in range(20, 100)]
    one.list("one-1", 1, period=(year[0], year[70]))
    one.list("one-2", 2, [bob], period=(year[1], year[70]))
    one.list("one-2-later", 2, period=(year[2], year[70]))
    one.list("one-2-other", 2, [alice], period=(year[1], year[70]))
    one.list("one-3-earlier", 3, period=(year[0], year[70]))
    one.list("one-9-expired", 9, [bob], period=(year[3], year[4]))
    one.list("one-9-future", 9, [bob], period=(year[69], year[70]))
    one.list("one-260", 260, [alice], period=(year[4], year[70]))
    one.list("one-bare", 2, [bob], period=(year[1], year[70]), key_id=False)
    one.list("scope-a-1", 1, period=(year[0], year[70]), scope="http://lists.test/a")
    one.list("scope-a-2", 2, [grace], period=(year[1], year[70]), scope="http://lists.test/a")
    one.list("scope-b-7", 7, period=(year[2], year[70]), scope="http://lists.test/b")
    two.list("two-1", 1, [dave], period=(year[0], year[70]))
    two.list("two-bare", 1, [dave], period=(year[0], year[70]), key_id=False)
    three.list("three", 5, period=(year[0], year[70]))
    three.list("three-bare", 5, period=(year[0], year[70]), key_id=False)
    below.list("below-1", 1, [frank], period=(year[0], year[70]))
    below.list("below-bare", 1, [frank], period=(year[0], year[70]), key_id=False)


def write_responses(directory, ca, other, site):
    """OCSP responses about a.pem, of which a server would like to staple one."""
    from ocsp import answer  # which needs this file
    known = ca.issue("responder", subject="/CN=responder", usage="OCSPSigning")
    false = ca.issue("responder-no-usage", subject="/CN=false responder")
    foreign = other.issue("responder-foreign", subject="/CN=foreign", usage="OCSPSigning")
    brief = ca.issue("responder-brief", subject="/CN=brief", usage="OCSPSigning",
                     period=("20200101000000Z", "20210101000000Z"))
    wild = Pair(os.path.join(directory, "wild.pem"), os.path.join(directory, "wild.key"))
    inside = [ca.pem]

    def write(name, about=site, issuer=ca, **more):
        more.setdefault("certs", inside)
        more.setdefault("until", 4102444800)  # 2100
        answer(about, issuer, os.path.join(directory, f"ocsp-{name}.der"), since=1577836800, **more)

    write("good")
    write("good-key", named="key")
    write("good-sha256", digest="sha256")
    write("good-delegated", signer=known, certs=[known.chain, ca.pem])
    write("good-delegated-key", signer=known, certs=[ca.pem, known.chain], named="key")
    write("bare", certs=[])
    write("delegated-bare", signer=known, certs=[known.chain])
    write("endless", until=0)
    write("revoked", status="revoked")
    write("unknown", status="unknown")
    write("try-later", outcome=3)
    write("unauthorized", outcome=6)
    write("spoiled", spoil=True)
    write("other", about=wild)
    write("other-key", issuer_key=other)
    write("stranger", signer=other, certs=[other.pem, ca.pem])
    write("no-usage", signer=false, certs=[false.chain, ca.pem])
    write("foreign", signer=foreign, certs=[foreign.chain, ca.pem, other.pem])
    write("expired-signer", signer=brief, certs=[brief.chain, ca.pem])
    write("critical", critical=True)
    for name in ("a", "a-rsa"):
        with open(os.path.join(directory, name + "-with-ca.pem"), "wb") as out:
            for path in (os.path.join(directory, name + ".pem"), ca.pem):
                with open(path, "rb") as file:
                    out.write(file.read())


if __name__ == "__main__":
    write_all(sys.argv[1])
    for stamp in sys.argv[2:]:
        with open(stamp, "w", encoding="utf-8") as file:
            file.write("made\n")
