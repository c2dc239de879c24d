import pytest
from cryptography.fernet import InvalidToken

from proj.accounts.second_factor import SecondFactorAdapter
from proj.hooks import signing
from proj.sealing import sealer

# Sealed under the key "the key of before" when each of them derived its keys by itself.
OF_AN_ENDPOINT = (
    "gAAAAABrAStp_FqrD-GkIJHId4dGOIasKU_wceCbRDq4cKilaCjo9XkwwlFdwHMLTfXqzRN4UTYrJ8PWXrJ-Ljv26yPPPZ4gZg=="
)
OF_A_SECOND_FACTOR = (
    "gAAAAABrAStpvnGBIjenSZ-uSFDcDF8SqjoVsTIE1pzofmeZfWFMSYd9G4iGC1_B89Aks2QWStXhiCEWpjA2WuhXuys"
    "-aBuGmK9i5dLL5ghh0zhTq-hXOj8="
)


@pytest.mark.parametrize("fallbacks", [[], ["the key of before"]])
def test_what_is_stored_can_be_read_also_after_the_key_was_replaced(settings, fallbacks):
    settings.SECRET_KEY = "a new one" if fallbacks else "the key of before"
    settings.SECRET_KEY_FALLBACKS = fallbacks

    assert signing.unseal(OF_AN_ENDPOINT) == b"of an endpoint"
    assert SecondFactorAdapter().decrypt(OF_A_SECOND_FACTOR) == "of a second factor"


def test_what_is_sealed_for_one_purpose_opens_for_no_other():
    sealed = sealer("one").encrypt(b"secret")

    assert sealer("one").decrypt(sealed) == b"secret"
    with pytest.raises(InvalidToken):
        sealer("another").decrypt(sealed)
