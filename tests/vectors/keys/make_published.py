#!/usr/bin/env python3
"""Writes engine/published_keys.c: hashes of keys whose private halves anybody can know.

usage: make_published.py > engine/published_keys.c        (any folder; needs openssl(1))

Taken are the keys beside this script that a certificate could be asked for at all (RSA of 2048 bits
and more, P-256, P-384, P-521, Ed25519, Ed448): those printed in RFCs, Debian's predictable ones, and
of badkeys/ those that no arithmetic finds. Its other keys are controls, or are recognised by
engine/key_check.c.

A hash is what ca_key_hash gives: the first 16 octets of SHA-256 over the RSA modulus, the EC point's
x coordinate, the octets of an EdDSA key.
"""
import base64
import hashlib
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
DEBIAN = "Debian's OpenSSL of 2006 to 2008 (CVE-2008-0166)"
BADKEYS = {
    "rsa-debianweak.key": DEBIAN,
    "rsa-nprime.key": "badkeys: a prime as modulus",
    "ed25519-rfc-example.key": "badkeys: example key of an RFC",
    "ec-p256-rfc-example.key": "badkeys: example key of an RFC",
}
COORDINATES = {"2a8648ce3d030107": 32, "2b81040022": 48, "2b81040023": 66}
EDDSA = {"2b6570", "2b6571"}


def read_element(der):
    """The first element: its content, and what follows it."""
    length, at = der[1], 2
    if length >= 0x80:
        at += length & 0x7F
        length = int.from_bytes(der[2:at], "big")
    return der[at:at + length], der[at + length:]


def rsa_material(rsa_public_key):
    modulus, _ = read_element(read_element(rsa_public_key)[0])
    modulus = modulus.lstrip(b"\0")
    return modulus if len(modulus) >= 256 else None


def spki_material(spki):
    """What identifies the key; None: of a kind or size that no certificate is issued for."""
    algorithm, bits = read_element(read_element(spki)[0])
    oid, parameters = read_element(algorithm)
    key = read_element(bits)[0][1:]
    if oid.hex() == "2a864886f70d010101":
        return rsa_material(key)
    if oid.hex() in EDDSA:
        return key
    if oid.hex() == "2a8648ce3d0201":
        size = COORDINATES.get(read_element(parameters)[0].hex())
        return key[1:1 + size] if size is not None and key[0] == 4 else None
    return None


def material(path):
    pem = re.search(r"-----BEGIN ([A-Z ]+)-----(.*?)-----END", path.read_text(), re.S)
    label, der = pem.group(1), base64.b64decode(pem.group(2))
    if label == "PUBLIC KEY":
        return spki_material(der)
    if label == "RSA PUBLIC KEY":
        return rsa_material(der)
    public = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"], check=True,
                            input=pem.group(0).encode() + b" " + label.encode() + b"-----\n",
                            stdout=subprocess.PIPE).stdout
    return spki_material(public)


def keys():
    for path in sorted((HERE / "rfc-examples").glob("*.key")):
        yield path, "RFC " + re.search(r"rfc(\d+)", path.name).group(1)
    for path in sorted((HERE / "debian").glob("*.key")):
        yield path, DEBIAN
    for name, where in BADKEYS.items():
        yield HERE / "badkeys" / name, where


def main():
    found = {}
    for path, where in keys():
        octets = material(path)
        if octets is not None:
            found.setdefault(hashlib.sha256(octets).digest()[:16], where)
    print('/* Written by tests/vectors/keys/make_published.py: do not edit. */\n')
    print('#include "engine/published_keys.h"\n')
    print("const size_t ca_published_keys_count = %d;\n" % len(found))
    print("const uint8_t ca_published_keys[][CA_KEY_HASH_LEN] = {")
    for digest in sorted(found):
        print("    { " + ",\n      ".join(
            ", ".join("0x%02x" % octet for octet in half) for half in (digest[:8], digest[8:]))
            + " },")
    print("};\n\nconst char *const ca_published_keys_where[] = {")
    for digest in sorted(found):
        print('    "%s",' % found[digest])
    print("};")


if __name__ == "__main__":
    sys.exit(main())
