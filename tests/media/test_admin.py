import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied

from media import admin as media_admin
from media.advice import ADVICE
from media.models import Avatar
from proj.jobs import audit
from proj.jobs.models import AuditEntry
from tests.factories import make_user
from tests.media.pictures import plain

pytestmark = pytest.mark.django_db

LIST = "/admin/media/avatar/"


def staff(client, *codenames: str) -> None:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)


def reprocess(client, *avatars: Avatar, **fields: str):
    chosen = {"action": "reprocess", "_selected_action": [avatar.pk for avatar in avatars]}
    return client.post(LIST, chosen | fields, follow=True)


def refuse(avatar: Avatar) -> None:
    Avatar.objects.filter(pk=avatar.pk).update(
        status="rejected", error_code="damaged", error_detail="The picture is damaged."
    )


def test_staff_find_an_avatar_and_see_its_thumbnails(client, owner, upload, process):
    staff(client, "view_avatar")
    avatar = upload(plain())
    process(avatar)
    small = avatar.thumbnails.get(size=64)
    for query in (owner.username, avatar.public_id, avatar.task_id, avatar.digest):
        page = client.get(LIST, {"q": query}).content.decode()
        assert small.url in page
    assert small.url not in client.get(LIST, {"q": "nobody"}).content.decode()
    page = client.get(f"{LIST}{avatar.pk}/change/").content.decode()
    assert all(each.url in page for each in avatar.thumbnails.all())
    assert avatar.upload not in page


@pytest.mark.django_db(transaction=True)
def test_staff_who_may_change_avatars_process_them_again(client, upload, process, waiting):
    staff(client, "view_avatar", "change_avatar")
    avatar = upload(plain())
    process(avatar)

    asked = reprocess(client, avatar).content.decode()
    assert "Yes, process 1 again" in asked
    assert waiting("bulk") == 0

    done = reprocess(client, avatar, confirmed="yes", reason="They look grey.").content.decode()
    assert "1 avatar is being processed again." in done
    assert waiting("bulk") == 1
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target, entry.reason) == (
        "avatar.reprocess",
        f"avatar:{avatar.pk}",
        "They look grey.",
    )
    assert entry.before == {"status": "ready", "error_code": ""}


@pytest.mark.django_db(transaction=True)
def test_staff_who_may_only_look_cannot(client, upload, process, waiting):
    staff(client, "view_avatar")
    avatar = upload(plain())
    process(avatar)
    reprocess(client, avatar, confirmed="yes")
    assert waiting("bulk") == 0
    assert AuditEntry.objects.count() == 0
    assert "Process it again" not in client.get(f"{LIST}{avatar.pk}/change/").content.decode()


def test_the_handler_itself_refuses_who_may_only_look(rf, upload):
    """Django leaves an action out of the choices; this holds whoever calls it, and however."""
    avatar = upload(plain())
    request = rf.post(LIST, {"confirmed": "yes"})
    request.user = make_user(is_staff=True)
    with pytest.raises(PermissionDenied):
        admin.site.get_model_admin(Avatar).reprocess(request, Avatar.objects.all())
    avatar.refresh_from_db()
    assert (avatar.status, AuditEntry.objects.count()) == ("queued", 0)


@pytest.mark.django_db(transaction=True)
def test_of_many_those_are_processed_again_that_can_be_and_the_others_say_why_not(client, upload, waiting):
    staff(client, "view_avatar", "change_avatar")
    refused, busy, bare, old = (upload(plain()) for _ in range(4))
    refuse(refused)
    refuse(bare)
    Avatar.objects.filter(pk=bare.pk).update(upload="")
    Avatar.objects.filter(pk=old.pk).update(status="superseded", upload="")
    before = waiting("compute")

    asked = reprocess(client, refused, busy, bare, old)
    for reason in (
        "It is being processed.",
        "Its upload is not kept any more.",
        "A newer one has taken its place.",
    ):
        assert reason in asked.content.decode()
    assert asked.context["possible"] == [refused]

    done = reprocess(client, refused, busy, bare, old, confirmed="yes").content.decode()
    assert "1 avatar is being processed again." in done
    assert "3 could not be, and stayed as they were." in done
    refused.refresh_from_db()
    assert (refused.status, refused.error_code) == ("queued", "")
    assert waiting("compute") == before + 1
    assert [entry.target for entry in AuditEntry.objects.all()] == [f"avatar:{refused.pk}"]


def test_the_page_of_a_refused_avatar_says_why_and_what_its_owner_is_advised(client, upload):
    staff(client, "view_avatar", "change_avatar")
    avatar = upload(plain())
    refuse(avatar)

    assert "damaged: The picture is damaged." in client.get(LIST).content.decode()
    page = client.get(f"{LIST}{avatar.pk}/change/").content.decode()
    assert "The picture is damaged." in page
    assert ADVICE["damaged"] in page
    assert "Process it again" in page
    assert "Not now" not in page

    Avatar.objects.filter(pk=avatar.pk).update(upload="")
    assert (
        "Not now: Its upload is not kept any more."
        in client.get(f"{LIST}{avatar.pk}/change/").content.decode()
    )


def test_more_than_one_request_should_take_is_refused(client, upload, monkeypatch):
    staff(client, "view_avatar", "change_avatar")
    monkeypatch.setattr(media_admin, "MOST", 1)
    page = reprocess(client, upload(plain()), upload(plain()), confirmed="yes").content.decode()
    assert "Choose at most 1 avatars at a time." in page
    assert AuditEntry.objects.count() == 0


def test_a_reprocessing_that_cannot_be_written_down_is_not_done(client, upload, monkeypatch):
    staff(client, "view_avatar", "change_avatar")
    avatar = upload(plain())
    refuse(avatar)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no audit log")

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(RuntimeError):
        reprocess(client, avatar, confirmed="yes")
    avatar.refresh_from_db()
    assert avatar.status == "rejected"


def test_nobody_adds_an_avatar_here(client):
    staff(client, "view_avatar", "add_avatar")
    assert client.get(f"{LIST}add/").status_code == 403


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("one_by_one", [True, False])
def test_deleting_here_takes_the_files_along(client, upload, process, files, one_by_one):
    staff(client, "view_avatar", "delete_avatar")
    avatar = upload(plain())
    process(avatar)
    if one_by_one:
        client.post(f"{LIST}{avatar.pk}/delete/", {"post": "yes"})
    else:
        client.post(
            LIST, {"action": "delete_selected", "_selected_action": [avatar.pk], "post": "yes"}, follow=True
        )
    assert [path for path in files.rglob("*") if path.is_file()] == []
    assert [(entry.action, entry.target) for entry in AuditEntry.objects.all()] == [
        ("avatar.delete", f"avatar:{avatar.pk}")
    ]
