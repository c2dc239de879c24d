import pytest
from django.contrib.auth.models import Permission

from tests.factories import make_user
from tests.media.pictures import plain

pytestmark = pytest.mark.django_db

LIST = "/admin/media/avatar/"


def staff(client, *codenames: str) -> None:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)


def reprocess(client, avatar):
    return client.post(LIST, {"action": "reprocess", "_selected_action": [avatar.pk]}, follow=True)


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
    assert "1 avatars are being processed again." in reprocess(client, avatar).content.decode()
    assert waiting("bulk") == 1


@pytest.mark.django_db(transaction=True)
def test_staff_who_may_only_look_cannot(client, upload, process, waiting):
    staff(client, "view_avatar")
    avatar = upload(plain())
    process(avatar)
    reprocess(client, avatar)
    assert waiting("bulk") == 0


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
