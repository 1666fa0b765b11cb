# SPDX-License-Identifier: MIT
"""Keys, and three independent verifiers of webhook-signature.

verify_hmac and verify_ed25519 are written from the specification; verify_with_reference asks the
JavaScript library of Standard Webhooks.
"""
import base64
import fcntl
import hashlib
import hmac
import json
import os
import subprocess

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

REFERENCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                         "standardwebhooks")


def new_secret(length=32):
    return "whsec_" + base64.b64encode(os.urandom(length)).decode()


def new_key_pair(with_public_half=False):
    """(whsk_…, whpk_…); the private one as a seed, or as a seed and the public key."""
    key = Ed25519PrivateKey.generate()
    seed = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                             serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.Raw,
                                           serialization.PublicFormat.Raw)
    private = seed + public if with_public_half else seed
    return ("whsk_" + base64.b64encode(private).decode(),
            "whpk_" + base64.b64encode(public).decode())


def signatures(request):
    """[(version, bytes)] in their order; the header's form is checked on the way."""
    result = []
    for part in request.header("webhook-signature").split(" "):
        version, text = part.split(",")
        result.append((version, base64.b64decode(text, validate=True)))
    return result


def signed_content(request):
    start = f"{request.header('webhook-id')}.{request.header('webhook-timestamp')}."
    return start.encode() + request.body


def _key(text):
    return base64.b64decode(text.split("_", 1)[1], validate=True)


def is_signed_with(request, key):
    """True when one of the signatures belongs to key: whsec_ or whpk_."""
    content = signed_content(request)
    if key.startswith("whpk_"):
        public = Ed25519PublicKey.from_public_bytes(_key(key))
        for version, signature in signatures(request):
            try:
                if version == "v1a":
                    public.verify(signature, content)
                    return True
            except InvalidSignature:
                pass
        return False
    expected = hmac.new(_key(key), content, hashlib.sha256).digest()
    return ("v1", expected) in signatures(request)


def install_reference():
    """npm's work, once for a checkout, also when tests run side by side."""
    with open(os.path.join(REFERENCE, "package.json"), encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(os.path.join(REFERENCE, "node_modules", "standardwebhooks")):
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"],
                           cwd=REFERENCE, check=True)


def verify_with_reference(requests, key):
    """Asserts that the reference library (node's crypto for whpk_) accepts every request."""
    answers = ask_reference(requests, key)
    refused = [answer["error"] for answer in answers if "error" in answer]
    assert len(answers) == len(requests) and not refused, refused


def ask_reference(requests, key):
    """The verifier's answer to each request: {"ok": True} or {"error": …}."""
    install_reference()
    lines = [json.dumps({"key": key, "headers": {name.lower(): value
                                                 for name, value in request.headers},
                         "body": base64.b64encode(request.body).decode()})
             for request in requests]
    done = subprocess.run(["node", os.path.join(REFERENCE, "verify.js")],
                          input="".join(f"{line}\n" for line in lines), capture_output=True,
                          text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]
