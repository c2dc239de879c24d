from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from media import services
from media.files import discard_loose_files
from media.models import Avatar, LooseFile
from proj.jobs import retention, subjects
from tests.media.pictures import GREEN, RED, plain

pytestmark = pytest.mark.django_db(transaction=True)

Status = Avatar.Status


@pytest.fixture(autouse=True)
def _nothing_sent(waiting) -> None:
    """What is enqueued goes to a broker that is emptied around each test."""


def age(avatar: Avatar, *, moved: timedelta, created: timedelta | None = None) -> None:
    now = timezone.now()
    Avatar.objects.filter(pk=avatar.pk).update(updated_at=now - moved, created_at=now - (created or moved))


@pytest.mark.parametrize("was", [Status.QUEUED, Status.PROCESSING])
def test_an_upload_that_does_not_move_is_enqueued_again(upload, waiting, was):
    avatar = upload(plain())
    Avatar.objects.update(status=was)
    before = waiting("compute")
    assert services.resume_stuck_avatars() == 0
    age(avatar, moved=timedelta(minutes=6))
    assert services.resume_stuck_avatars() == 1
    assert services.resume_stuck_avatars() == 0
    assert waiting("compute") == before + 1
    assert Avatar.objects.get().task_id != avatar.task_id


def test_what_has_ended_is_not_enqueued_again(upload, process, waiting):
    good, bad = upload(plain()), upload(b"bad")
    process(good), process(bad)
    before = waiting("compute")
    for avatar in (good, bad):
        age(avatar, moved=timedelta(hours=1))
    assert services.resume_stuck_avatars() == 0
    assert waiting("compute") == before


def test_an_upload_that_never_ends_is_given_up_after_a_day_in_words(upload):
    avatar = upload(plain())
    age(avatar, moved=timedelta(minutes=6), created=timedelta(hours=25))
    assert services.resume_stuck_avatars() == 0
    avatar.refresh_from_db()
    assert (avatar.status, avatar.error_code) == (Status.REJECTED, "gave_up")


def test_a_refused_upload_leaves_quarantine_after_a_week_and_its_reason_stays(upload, process, files):
    avatars = [upload(b"bad"), upload(b"worse"), upload(b"worst")]
    for avatar in avatars:
        process(avatar)
    now = timezone.now()
    assert services.purge_refused_uploads(10, now) == 0
    later = now + timedelta(days=8)
    assert services.purge_refused_uploads(2, later) == 2
    assert discard_loose_files(10, later) == 2
    assert [path.name for path in (files / "quarantine").iterdir()] == [avatars[2].upload]
    assert services.purge_refused_uploads(2, later) == 1
    assert services.purge_refused_uploads(2, later) == 0
    assert set(Avatar.objects.values_list("status", "error_code")) == {(Status.REJECTED, "not_an_image")}


def test_the_upload_of_an_avatar_in_use_stays(upload, process, files):
    avatar = upload(plain())
    process(avatar)
    assert services.purge_refused_uploads(10, timezone.now() + timedelta(days=400)) == 0
    assert (files / "quarantine" / avatar.upload).exists()


def test_loose_files_are_deleted_in_bounded_batches_and_a_missing_one_is_no_trouble():
    now = timezone.now()
    LooseFile.objects.bulk_create(LooseFile(storage="default", name=f"ab/{n}", due_at=now) for n in range(5))
    assert [discard_loose_files(3, now) for _ in range(3)] == [3, 2, 0]


def test_the_nightly_clean_up_knows_both_purges():
    assert {"refused uploads", "loose files"} <= set(retention.registered())


def test_a_task_is_traced_back_to_the_avatar_and_its_owner(upload, owner):
    avatar = upload(plain())
    assert subjects.find(avatar.task_id) == subjects.Subject(
        f"avatar:{avatar.pk}", owner.pk, "/profile/", f"/admin/media/avatar/{avatar.pk}/change/"
    )


def test_a_refused_upload_may_have_another_chance(upload, process, waiting):
    avatar = upload(plain())
    Avatar.objects.update(status=Status.REJECTED, error_code="too_costly", error_detail="Too much.")
    before = waiting("compute")
    assert services.reprocess_avatar(avatar.pk)
    assert waiting("compute") == before + 1
    assert process(avatar) == Status.READY
    assert Avatar.objects.get().error_detail == ""


def test_what_is_superseded_or_unfinished_is_not_processed_again(upload, process):
    older, newer = upload(plain(RED)), upload(plain(GREEN))
    assert not services.reprocess_avatar(newer.pk)
    process(newer)
    assert not services.reprocess_avatar(older.pk)


def test_a_ready_avatar_is_made_anew_on_the_bulk_queue(upload, process, waiting):
    avatar = upload(plain())
    process(avatar)
    assert services.reprocess_avatar(avatar.pk)
    assert waiting("bulk") == 1


def test_the_sweep_reads_an_index(upload):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM media_avatar WHERE status IN ('queued', 'processing') AND updated_at < now()"
        )
        assert "media_avatar_unfinished" in str(cursor.fetchall())
