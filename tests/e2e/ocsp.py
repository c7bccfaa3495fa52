"""OCSP responses for tests, written byte by byte (RFC 6960 §4.2.1) and signed by openssl, whose own
responder writes only what is right and holds now.

    answer(pair, issuer, status="revoked", until=time.time() + 5, path="site.ocsp")
"""

import hashlib
import subprocess
import time

from certificates import openssl

SHA256_WITH_ECDSA = bytes.fromhex("300a06082a8648ce3d040302")
HASHES = {"sha1": bytes.fromhex("300906052b0e03021a0500"),
          "sha256": bytes.fromhex("300d06096086480165030402010500")}
BASIC = bytes.fromhex("06092b0601050507300101")
NONCE_CRITICAL = bytes.fromhex("301406092b06010505073001020101ff04040402abcd")
STATUSES = {"good": bytes.fromhex("8000"), "unknown": bytes.fromhex("8200")}


def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def children(der):
    """The parts of a constructed value, whole."""
    def one(at):
        size, start = der[at + 1], at + 2
        if size & 0x80:
            start += size & 0x7f
            size = int.from_bytes(der[at + 2:start], "big")
        return start, start + size
    at, end = one(0)
    found = []
    while at < end:
        stop = one(at)[1]
        found.append(der[at:stop])
        at = stop
    return found


def bits_of(key_info):
    """What a public key's hash is of: the BIT STRING without its head."""
    bits = children(key_info)[1]
    return bits[2 + (bits[1] & 0x7f if bits[1] & 0x80 else 0) + 1:]


class Certificate:
    def __init__(self, path):
        self.der = subprocess.run(["openssl", "x509", "-in", path, "-outform", "DER"], check=True,
                                  capture_output=True).stdout
        parts = [p for p in children(children(self.der)[0]) if p[0] != 0xa0]
        self.serial, self.issuer, self.subject, key = parts[0], parts[2], parts[4], parts[5]
        self.key_bits = bits_of(key)


def moment(seconds):
    return tlv(0x18, time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds)).encode())


def answer(pair, issuer, path, *, signer=None, status="good", since=None, until=None,
           digest="sha1", certs=(), outcome=0, named="name", issuer_key=None, critical=False,
           spoil=False):
    """Writes a response about a pair (its chain's first certificate) into `path`, and returns that.

    `issuer` has signed the certificate; `signer` (a pair or an authority) signs the response, and
    its certificates are those of `certs`, paths. `until` 0: no nextUpdate. `outcome` is the
    OCSPResponseStatus. `issuer_key`: another authority whose key the certificate is said to be by.
    `spoil` changes the signature."""
    now = time.time()
    signer = signer or issuer
    about, above = Certificate(pair.chain), Certificate(issuer.pem)
    key_of = Certificate(issuer_key.pem) if issuer_key else above
    shown = Certificate(getattr(signer, "pem", None) or signer.chain)
    since = since if since is not None else now - 3600
    until = until if until is not None else now + 86400
    name = tlv(0xa1, shown.subject) if named == "name" else tlv(
        0xa2, tlv(4, hashlib.sha1(shown.key_bits).digest()))
    said = STATUSES.get(status) or tlv(0xa1, moment(now - 7200))
    single = tlv(0x30, tlv(0x30, HASHES[digest],
                           tlv(4, hashlib.new(digest, above.subject).digest()),
                           tlv(4, hashlib.new(digest, key_of.key_bits).digest()), about.serial),
                 said, moment(since), tlv(0xa0, moment(until)) if until else b"")
    data = tlv(0x30, name, moment(now), tlv(0x30, single),
               tlv(0xa1, tlv(0x30, NONCE_CRITICAL)) if critical else b"")
    key = signer.key if hasattr(signer, "key") else signer.base + ".key"
    signature = bytearray(subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=data,
                                         check=True, capture_output=True).stdout)
    signature[-1] ^= 1 if spoil else 0
    inside = tlv(0xa0, tlv(0x30, *(Certificate(p).der for p in certs))) if certs else b""
    basic = tlv(0x30, data, SHA256_WITH_ECDSA, tlv(3, b"\0", bytes(signature)), inside)
    whole = tlv(0x30, tlv(10, bytes([outcome])),
                b"" if outcome else tlv(0xa0, tlv(0x30, BASIC, tlv(4, basic))))
    with open(path, "wb") as file:
        file.write(whole)
    return path


def show(path, issuer):
    """What openssl makes of a response, for people who look for a mistake in this file."""
    return openssl("ocsp", "-respin", path, "-resp_text", "-noverify", "-issuer", issuer.pem)
