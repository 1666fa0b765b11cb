# SPDX-License-Identifier: MIT
"""Key files, and secrets sealed by another implementation of the form."""
import base64
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def new_key(name):
    """(name, 32 random bytes)"""
    return name, os.urandom(32)


def write_key_file(path, *keys):
    """The first key seals. Never seen half-written."""
    with open(f"{path}.new", "w", encoding="ascii") as file:
        file.write("# keys of a test\n")
        for name, key in keys:
            file.write(f"{name} {base64.b64encode(key).decode()}\n")
    os.chmod(f"{path}.new", 0o600)
    os.rename(f"{path}.new", path)
    return str(path)


def _associated(name, customer, url):
    return f"enc1:{name}:{customer}\n{url}".encode()


def seal(key, secret, customer, url=""):
    nonce = os.urandom(12)
    sealed = AESGCM(key[1]).encrypt(nonce, secret.encode(), _associated(key[0], customer, url))
    return f"enc1:{key[0]}:{base64.b64encode(nonce + sealed).decode()}"


def unseal(key, text, customer, url=""):
    form, name, packed = text.split(":")
    assert (form, name) == ("enc1", key[0])
    packed = base64.b64decode(packed, validate=True)
    return AESGCM(key[1]).decrypt(packed[:12], packed[12:], _associated(name, customer, url)).decode()
