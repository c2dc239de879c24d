"""A security key in software, with the browser it is plugged into: what WebAuthn's toJSON() gives to a page."""

import json
import secrets
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData

ORIGIN = "https://testserver"
PRESENT, HAS_CREDENTIAL = 0x01, 0x40  # the flags of authenticator data


class SecurityKey:
    def __init__(self) -> None:
        self.id = secrets.token_bytes(32)
        self._private = ec.generate_private_key(ec.SECP256R1())

    def create(self, options: dict[str, Any], origin: str = ORIGIN) -> str:
        """Answer a page that adds a key."""
        asked = options["creation_options"]["publicKey"]
        credential = AttestedCredentialData.create(
            Aaguid.NONE, self.id, ES256.from_cryptography_key(self._private.public_key())
        )
        data = AuthenticatorData.create(
            _hash(asked["rp"]["id"]), PRESENT | HAS_CREDENTIAL, 0, bytes(credential)
        )
        attestation = AttestationObject.create("none", data, {})
        client = _client_data("webauthn.create", asked["challenge"], origin)
        return self._answer(attestationObject=bytes(attestation), clientDataJSON=client)

    def get(self, options: dict[str, Any], origin: str = ORIGIN) -> str:
        """Answer a page that asks who one is."""
        asked = options["request_options"]["publicKey"]
        data = bytes(AuthenticatorData.create(_hash(asked["rpId"]), PRESENT, 1))
        client = _client_data("webauthn.get", asked["challenge"], origin)
        signature = self._private.sign(data + sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(authenticatorData=data, clientDataJSON=client, signature=signature)

    def _answer(self, **response: bytes) -> str:
        return json.dumps(
            {
                "id": websafe_encode(self.id),
                "rawId": websafe_encode(self.id),
                "type": "public-key",
                "clientExtensionResults": {},
                "response": {name: websafe_encode(value) for name, value in response.items()},
            }
        )


def _hash(rp_id: str) -> bytes:
    return sha256(rp_id.encode()).digest()


def _client_data(kind: str, challenge: str, origin: str) -> bytes:
    return json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()
