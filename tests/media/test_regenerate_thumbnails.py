import io
import json

import pytest
from django.core.management import CommandError, call_command

from media.models import Thumbnail
from tests.factories import make_user
from tests.media.pictures import GREEN, RED, plain

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[int, str]:
    """Return the exit code and what was printed."""
    out = io.StringIO()
    try:
        call_command("regenerate_thumbnails", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code), out.getvalue()
    return 0, out.getvalue()


def names() -> set[str]:
    return set(Thumbnail.objects.values_list("file", flat=True))


def test_every_avatar_in_use_gets_new_thumbnails(upload, process):
    process(upload(plain(RED)))
    process(upload(plain(GREEN), make_user()))
    process(upload(b"bad", make_user()))
    before = names()
    assert run("--json") == (0, '{"avatars": 2, "made": 2, "skipped": 0, "failed": []}\n')
    assert len(names()) == 12
    assert not names() & before


def test_a_dry_run_changes_nothing(upload, process):
    process(upload(plain()))
    before = names()
    assert run("--dry-run") == (0, "1 avatars would get new thumbnails.\n")
    assert names() == before


def test_only_one_persons_avatar(upload, process, owner):
    process(upload(plain(RED)))
    process(upload(plain(GREEN), make_user()))
    assert run("--user", owner.username) == (0, "1 of 1 avatars have new thumbnails.\n")


def test_what_fails_is_named_and_keeps_its_thumbnails(upload, process, files):
    avatar = upload(plain())
    process(avatar)
    before = names()
    (files / "quarantine" / avatar.upload).unlink()
    code, printed = run("--json")
    assert code == 1
    failure = {
        "id": str(avatar.public_id),
        "error": "The upload got lost on our side. Please upload it again.",
    }
    assert json.loads(printed)["failed"] == [failure]
    assert names() == before


def test_an_unknown_person_is_a_mistake():
    with pytest.raises(CommandError, match=r"There is no user nobody\.") as error:
        run("--user", "nobody")
    assert error.value.returncode == 2
