"""Verifies webhooks as their receivers would: one JSON line {headers, body, secret?, publicKey?} each on standard input.

`v1` with the library of Standard Webhooks, `v1a` with the Ed25519 of `cryptography`, since the library has none.
"""

import base64
import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.exceptions import InvalidSignature
from standardwebhooks import Webhook


def asymmetric(public_key, headers, body):
    if not public_key.startswith("whpk_"):
        raise ValueError(f"a public key that does not begin with whpk_: {public_key}")
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    listed = [one for one in headers["webhook-signature"].split(" ") if one.startswith("v1a,")]
    for one in listed:
        try:
            return key.verify(base64.b64decode(one.removeprefix("v1a,")), content)
        except InvalidSignature:
            pass
    raise ValueError(f"none of {len(listed)} signatures v1a matches")


def check(headers, body, secret=None, publicKey=None):
    if not secret and not publicKey:
        raise ValueError("neither a secret nor a public key to verify with")
    if secret:
        Webhook(secret).verify(body, headers)
    if publicKey:
        asymmetric(publicKey, headers, body)
    return from_http_event(HTTPMessage(headers, body.encode())).get_id()


def main():
    lines = 0
    for lines, line in enumerate(sys.stdin, start=1):
        try:
            print(check(**json.loads(line)))
        except Exception as error:
            sys.exit(f"line {lines}: {type(error).__name__}: {error}")
    if lines == 0:
        sys.exit("nothing to verify on standard input")


main()
