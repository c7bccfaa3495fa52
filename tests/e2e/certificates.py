#!/usr/bin/env python3
"""Certificates for tests, made by the openssl command: an authority, and what it signs.

    authority = Authority(directory, "ca")
    pair = authority.issue("site", names=["a.example", "*.b.example"])
    pair.chain, pair.key        # paths of PEM files
    authority.crl(revoked)      # path of a PEM file
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
x509_extensions = leaf
[any]
countryName = optional
organizationName = optional
commonName = optional
[leaf]
basicConstraints = CA:FALSE
keyUsage = digitalSignature, keyEncipherment
extendedKeyUsage = {usage}
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

    def __init__(self, directory, name):
        self.directory = directory
        self.base = os.path.join(directory, name)
        self.pem = self.base + ".pem"
        for end, text in ((".index", ""), (".serial", "1001\n"), (".crlnumber", "01\n")):
            self._write(self.base + end, text)
        openssl("req", "-x509", *KINDS["ecdsa"], "-nodes", "-keyout", self.base + ".key", "-out",
                self.pem, "-days", "3650", "-subj", f"/CN=River test {name}", "-addext",
                "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")

    @staticmethod
    def _write(path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def _config(self, usage="serverAuth, clientAuth"):
        path = self.base + ".cnf"
        self._write(path, CONFIG.format(base=self.base, directory=self.directory, usage=usage))
        return path

    def issue(self, name, names=(), kind="ecdsa", subject=None, period=None):
        """`names` are DNS names, or "IP:…"; `period` is (from, to) as YYYYMMDDHHMMSSZ."""
        base = os.path.join(self.directory, name)
        config = self._config()
        extension = ",".join(n if ":" in n else "DNS:" + n for n in names)
        openssl("req", "-new", "-config", config, *KINDS[kind], "-nodes", "-keyout", base + ".key",
                "-out", base + ".csr", "-subj", subject or f"/CN={name}",
                *(["-addext", "subjectAltName=" + extension] if names else []))
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


if __name__ == "__main__":
    write_all(sys.argv[1])
    for stamp in sys.argv[2:]:
        with open(stamp, "w", encoding="utf-8") as file:
            file.write("made\n")
