"""People who upload, and what is done with it."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile

from media import services
from media.models import Avatar
from media.sandbox import Sandbox, sandbox
from tests.factories import make_user


@pytest.fixture
def owner(db) -> User:
    return make_user()


@pytest.fixture
def upload(owner) -> Callable[..., Avatar]:
    """Upload bytes for the owner, or for somebody else; nothing is processed yet."""

    def upload_bytes(data: bytes, person: User | None = None) -> Avatar:
        return services.upload_avatar(person or owner, ContentFile(data, name="me.png"))

    return upload_bytes


@pytest.fixture
def process() -> Callable[[Avatar], str]:
    """Do what the task does, and return the status."""
    return lambda avatar: services.process_avatar(avatar.pk, lambda *_: None)


@pytest.fixture
def own_sandbox() -> Iterator[Sandbox]:
    """A sandbox that nobody else uses, with little patience."""
    sandbox = Sandbox(patience=3)
    yield sandbox
    sandbox.close()


@pytest.fixture
def decodes(monkeypatch) -> Iterator[list[bytes]]:
    """Every picture that is decoded from here on."""
    seen: list[bytes] = []
    decode = sandbox.make_thumbnails
    monkeypatch.setattr(
        sandbox, "make_thumbnails", lambda data, crop: seen.append(data) or decode(data, crop)
    )
    return seen
