import shlex
from datetime import timedelta
from io import StringIO
from urllib.parse import urlencode

import pytest
from celery.app.control import Control
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from proj.jobs import admin_list, facts, ledger, subjects
from proj.jobs.admin_actions import ACTIONS, jobs_of, possible_for
from proj.jobs.models import AuditEntry, Job, Operation, State
from proj.jobs.selecting import Selection
from proj.jobs.subjects import Subject
from proj.jobs.testing import drain, without_broker
from tests.factories import make_user
from tests.jobs.probes import add, busy, refuse, total

pytestmark = pytest.mark.django_db

LIST = "/admin/jobs/job/"


@pytest.fixture(autouse=True)
def _without_broker(monkeypatch):
    monkeypatch.setattr(facts, "_ask_workers", lambda: (True, frozenset({"default"})))
    with without_broker():
        yield


def staff(*permissions):
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


@pytest.fixture
def operator(client):
    user = staff("view_job", "operate_job")
    client.force_login(user)
    return user


def dead(order_id=1):
    job = refuse.delay(order_id)
    drain()
    return job


def claimed(task, *args):
    job = task.delay(*args)
    ledger.claim(job.id, task=task.name, retries=0, worker="w1@test", seconds=10)
    return job


def shown(client, query=""):
    return [job.pk for job in client.get(f"{LIST}{query}").context["cl"].result_list]


def post(client, action, *jobs, query="", **fields):
    selected = [job.id for job in jobs]
    return client.post(
        f"{LIST}{query}", {"action": action, "_selected_action": selected, **fields}, follow=True
    )


def states():
    return dict(Job.objects.values_list("pk", "state"))


def told(response):
    return [str(message) for message in response.context["messages"]]


def test_jobs_are_listed_newest_first_with_what_they_are_about(client, operator):
    first, second = add.delay(1), refuse.delay(42)

    page = client.get(LIST)

    assert shown(client) == [second.id, first.id]
    assert '<a href="/admin/jobs/job/subject/order:42/">order:42</a>' in page.content.decode()


def test_a_subject_leads_to_its_object(client, operator, monkeypatch):
    order = Subject("order:42", None, "/orders/42/")
    monkeypatch.setitem(
        subjects._kinds,
        "order",
        subjects.Kind(lambda identity: order if identity == "42" else None, None, None),
    )

    assert client.get(reverse("admin:jobs_job_subject", args=["order:42"])).url == "/orders/42/"
    assert client.get(reverse("admin:jobs_job_subject", args=["order:43"])).status_code == 404
    assert client.get(reverse("admin:jobs_job_subject", args=["nothing:1"])).status_code == 404


def test_the_list_is_narrowed_by_state_queue_and_task(client, operator):
    failed = dead()
    retried = busy.delay()
    drain()
    waiting = add.delay(1)
    later = add.apply_async((1,), countdown=600, queue="bulk")
    running = claimed(add, 2)

    assert shown(client, "?state=dead") == shown(client, "?task=jobprobes.refuse") == [failed.id]
    assert shown(client, "?state=retrying") == [retried.id]
    assert shown(client, "?state=queued") == [waiting.id]
    assert shown(client, "?state=running") == [running.id]
    assert shown(client, "?state=scheduled") == shown(client, "?queue=bulk") == [later.id]
    assert shown(client, "?queue=io") == []
    assert len(shown(client, "?state=odd")) == 5


def test_a_search_finds_an_id_a_subject_a_task_or_an_error(client, operator):
    one, other, failed = add.delay(1), refuse.delay(42), None
    failed = Job.objects.get(pk=other.id)
    drain()
    waiting = add.delay(2)

    assert shown(client, f"?q={waiting.id}") == [waiting.id]
    assert shown(client, "?q=order:42") == shown(client, "?q=IS+refused") == [failed.pk]
    assert shown(client, "?q=jobprobes.a") == [waiting.id]
    assert shown(client, "?q=unheard+of") == []
    assert one.state == "SUCCESS"


def test_a_list_is_narrowed_by_an_argument_an_error_and_a_stretch_of_time(client, operator):
    failed = dead(42)
    number, named, nested = add.delay(1), add.delay(2, y=7), total.delay([5, [6]])
    Job.objects.filter(pk=number.id).update(created_at=timezone.now() - timedelta(hours=3))

    assert shown(client, "?argument=1") == [number.id]
    assert shown(client, "?argument=y%3D7") == shown(client, "?argument=7") == [named.id]
    assert shown(client, "?argument=6") == [nested.id]
    assert shown(client, "?argument=4") == shown(client, "?argument=x%3D1") == []
    assert shown(client, "?argument=42") == shown(client, "?error=IS+refused") == [failed.id]
    assert shown(client, "?until=2h") == [number.id]
    assert shown(client, "?since=4h&until=2h") == [number.id]
    assert len(shown(client, "?since=2h")) == 3
    assert shown(client, f"?since={timezone.now() + timedelta(days=1):%Y-%m-%dT%H:%M}") == []


@pytest.mark.parametrize("value", ["NaN", '"\\u0000"', "\0", "{", "=", "a=", "a=NaN", "'", "%", "1e999"])
def test_whatever_is_typed_for_an_argument_is_looked_for(client, operator, value):
    add.delay(1)

    assert client.get(LIST, {"argument": value}).context["cl"].result_list.count() in (0, 1)


@pytest.mark.parametrize(
    ("sent", "term"),
    [
        ("50% off_\\", "50% off_\\"),
        ('say "é"', 'say "é"'),
        (True, "true"),
        (1.5, "1.5"),
        ("true", "true"),
    ],
)
def test_an_argument_is_found_as_it_was_sent(client, operator, sent, term):
    job, _ = add.delay(sent), add.delay("else")

    assert shown(client, "?" + urlencode({"argument": term})) == [job.id]
    named = add.delay(0, y=sent)
    assert shown(client, "?" + urlencode({"argument": f"y={term}"})) == [named.id]


def test_a_list_or_an_object_is_found_by_the_name_of_its_argument(client, operator):
    job, _ = add.delay(0, y={"sku": "A", "n": [1, None]}), add.delay(0, y={"sku": "B"})

    assert shown(client, "?" + urlencode({"argument": 'y={"n":[1,null],"sku":"A"}'})) == [job.id]


def test_a_time_that_is_none_is_said_and_narrows_nothing(client, operator):
    job = add.delay(1)

    page = client.get(f"{LIST}?since=yesterday&state=queued").content.decode()

    assert "This is no time" in page
    assert 'name="state" value="queued"' in page
    assert shown(client, "?since=yesterday") == [job.id]


def test_a_list_asks_a_few_questions_however_many_jobs_there_are(
    client, operator, django_assert_max_num_queries
):
    for number in range(60):
        refuse.delay(number)

    with django_assert_max_num_queries(8):
        assert len(shown(client)) == 50


def test_counting_stops_at_the_end_of_what_anybody_reads(client, operator, monkeypatch):
    monkeypatch.setattr(admin_list.CappedPaginator, "most", 3)
    for number in range(5):
        add.delay(number)

    page = client.get(LIST)

    assert page.context["cl"].result_count == 3
    assert "there may be more" in page.content.decode()


def test_the_page_of_a_job_says_everything_about_it(client, operator):
    job = dead(42)

    page = client.get(f"{LIST}{job.id}/change/").content.decode()

    assert "It is dead after 1 attempt: Permanent: order 42 is refused." in page
    assert "&quot;args&quot;: [\n    42\n  ]" in page
    assert ">FAILURE</a>" in page
    assert 'name="action" value="retry"' in page
    assert 'name="action" value="bury"' not in page  # it has failed already


def test_a_job_is_not_edited_added_or_deleted(client, admin_user):
    client.force_login(admin_user)
    job = add.delay(1)

    assert client.post(f"{LIST}{job.id}/change/", {"state": "dead"}).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{job.id}/delete/", {"post": "yes"}).status_code == 403
    assert states() == {job.id: State.QUEUED}


def test_an_operation_is_confirmed_first(client, operator):
    job = dead()

    page = post(client, "retry", job)

    assert "Retry 1 job?" in page.content.decode()
    assert "Whatever they did before" in page.content.decode()
    assert states() == {job.id: State.DEAD}


def test_a_confirmed_retry_puts_the_dead_ones_back(client, operator):
    job, waiting = dead(), add.delay(1)

    page = post(client, "retry", job, waiting, confirmed="yes", reason="the provider is back")

    assert told(page) == ["1 retried."]
    assert states() == {job.id: State.QUEUED, waiting.id: State.QUEUED}
    [entry] = AuditEntry.objects.all()
    assert (entry.target, entry.actor_id, entry.origin) == (f"job:{job.id}", operator.pk, "admin")
    assert (entry.action, entry.reason) == ("job.retry", "the provider is back")


def test_a_confirmed_cancel_tells_what_became_of_each(client, operator):
    waiting, running = add.delay(1), claimed(add, 2)

    page = post(client, "cancel", waiting, running, confirmed="yes", reason="a bad import")

    assert sorted(told(page)[0].rstrip(".").split(", ")) == ["1 cancelled", "1 stopping"]
    assert waiting.state == "REVOKED"
    assert Job.objects.get().cancel_requested


def test_those_that_run_are_killed_only_when_that_is_ticked(client, operator, monkeypatch):
    broadcasts = []
    monkeypatch.setattr(Control, "broadcast", lambda self, *call: broadcasts.append(call))
    running = claimed(add, 2)

    post(client, "cancel", running, confirmed="yes", reason="it hangs")
    assert broadcasts == []

    post(client, "cancel", running, confirmed="yes", reason="it hangs", terminate="on")
    assert broadcasts == [("revoke", {"task_id": [running.id], "terminate": True})]


def test_a_confirmed_burial_keeps_its_reason(client, operator):
    job = add.delay(1)

    assert "Reason" in post(client, "bury", job).content.decode()
    post(client, "bury", job, confirmed="yes", reason="wrong price")

    assert Job.objects.get().error == "Buried: wrong price"
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason) == ("job.bury", "wrong price")


def test_everything_that_a_filter_shows_can_be_meant(client, operator):
    failed = [dead(number) for number in range(3)]
    waiting = add.delay(1)

    page = post(client, "retry", failed[0], query="?state=dead", select_across="1")
    assert "Retry 3 jobs?" in page.content.decode()
    post(client, "retry", failed[0], query="?state=dead", select_across="1", confirmed="yes", reason="mended")

    assert states() == dict.fromkeys([*(job.id for job in failed), waiting.id], State.QUEUED)


def test_nothing_to_be_done_is_said(client, operator):
    job = add.delay(1)

    assert told(post(client, "retry", job, confirmed="yes")) == ["None of these is dead."]


def test_without_a_reason_nothing_is_done(client, operator):
    job = dead()

    page = post(client, "retry", job, confirmed="yes", reason=" ")

    assert "This field is required." in page.content.decode()
    assert states() == {job.id: State.DEAD}


def test_more_than_one_bite_is_an_operation_that_the_beats_carry_out(client, operator, monkeypatch):
    monkeypatch.setattr("proj.jobs.admin_operating.AT_ONCE", 1)
    first, second = dead(1), dead(2)

    page = post(client, "retry", first, second, confirmed="yes", reason="mended")

    operation = Operation.objects.get()
    assert page.redirect_chain[-1][0] == f"/admin/jobs/operation/{operation.pk}/change/"
    assert (operation.verb, operation.expected, operation.reason) == ("retry", 2, "mended")
    assert (operation.actor, operation.per_second) == (operator.username, 500)
    assert set(states().values()) == {State.DEAD}


@pytest.mark.parametrize("how", [{"per_second": "1"}, {"most_dead": "1"}])
def test_what_is_to_go_slowly_or_to_stop_by_itself_is_an_operation_too(client, operator, how):
    first, second = dead(1), dead(2)

    post(client, "retry", first, second, confirmed="yes", reason="carefully", **how)

    operation = Operation.objects.get()
    assert (operation.per_second, operation.most_dead) == (
        int(how.get("per_second", 500)),
        int(how["most_dead"]) if "most_dead" in how else None,
    )


def test_the_preview_says_how_many_of_which_and_the_command_that_does_the_same(client, operator):
    failed, other = [dead(number) for number in range(3)], busy.delay()

    page = post(client, "retry", failed[0], query="?state=dead&error=refused", select_across="1")

    assert page.context["count"] == 3
    assert [(kind["task"], kind["count"]) for kind in page.context["kinds"]] == [("jobprobes.refuse", 3)]
    assert page.context["command"] == "manage.py jobs retry --state dead --error refused --yes --reason ..."
    assert other.id in states()


def test_the_command_of_the_preview_does_the_same(client, operator):
    failed = [dead(number) for number in range(3)]
    page = post(client, "retry", failed[0], query="?state=dead&argument=1", select_across="1")

    _, *words = shlex.split(page.context["command"])
    call_command(*words, stdout=StringIO(), stderr=StringIO())

    assert [state for _, state in sorted(states().items(), key=lambda job: job[0] != failed[1].id)] == [
        "queued",
        "dead",
        "dead",
    ]


def test_all_that_a_search_shows_is_meant_too(client, operator):
    failed = [dead(1), dead(2)]
    page = post(client, "retry", failed[0], query="?q=order+2+is", select_across="1")

    assert page.context[
        "command"
    ] == "manage.py jobs retry --state dead --error 'order 2 is' --yes --reason ...".replace(" --yes", "")
    assert page.context["count"] == 1


def test_a_search_and_a_filter_that_contradict_are_not_guessed_about(client, operator):
    failed = dead(1)

    page = post(
        client,
        "retry",
        failed,
        query="?q=refused&error=other",
        select_across="1",
        confirmed="yes",
        reason="x",
    )

    assert told(page) == ["The search and the filters say different things about: error."]
    assert states() == {failed.id: State.DEAD}


@pytest.mark.parametrize("action", ["cancel", "bury"])
def test_everything_there_is_is_not_a_click_away(client, operator, action):
    job = add.delay(1)

    page = post(client, action, job, select_across="1", confirmed="yes", reason="x")

    assert told(page) == [f"To {action} everything there is takes more than a click: narrow the list first."]
    assert states() == {job.id: State.QUEUED}


def test_a_filter_cancels_no_dead_job_unless_it_says_so(client, operator):
    job = dead()

    assert told(post(client, "cancel", job, query="?task=jobprobes.refuse", select_across="1")) == [
        "None of these is owed."
    ]
    assert (
        "Cancel 1 job?"
        in post(client, "cancel", job, query="?state=dead", select_across="1").content.decode()
    )


@pytest.mark.parametrize("action", ["retry", "cancel", "bury"])
def test_who_may_only_look_operates_nothing(client, action):
    client.force_login(staff("view_job"))
    failed, waiting = dead(), add.delay(1)
    before = states()

    post(client, action, failed, waiting, confirmed="yes", reason="x")

    assert states() == before
    assert "action" not in client.get(LIST).context["cl"].list_display
    assert 'name="action"' not in client.get(f"{LIST}{failed.id}/change/").content.decode()


def test_the_handler_itself_asks_for_the_permission(client, rf, django_user_model):
    from django.contrib import admin  # noqa: PLC0415
    from django.core.exceptions import PermissionDenied  # noqa: PLC0415

    request = rf.post(LIST, {"confirmed": "yes"})
    request.user = staff("view_job")
    job = dead()

    with pytest.raises(PermissionDenied):
        admin.site._registry[Job].retry(request, Job.objects.all())
    assert states() == {job.id: State.DEAD}


def test_without_permission_to_look_there_is_nothing_to_see(client):
    client.force_login(staff())
    job = add.delay(1)

    assert client.get(LIST).status_code == 403
    assert client.get(f"{LIST}{job.id}/change/").status_code == 403
    assert client.get(reverse("admin:jobs_job_subject", args=["order:42"])).status_code == 403


def test_the_list_of_all_jobs_and_each_of_its_narrow_ones_reads_an_index(client, operator):
    """On a table large enough for the planner to mind; seq scans are what makes a list slow at a million."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO jobs_job (id, task, queue, priority, message, subject, state, attempt, available_at, published_at,
                                  losses, worker, cancel_requested, error, created_at)
            SELECT 'job-' || n, 'jobprobes.add', 'default', 5, '{"headers": {}}', 'order:' || n,
                   CASE WHEN n % 100 = 0 THEN 'dead' ELSE 'queued' END, 0, now(), now(), 0, '', false,
                   CASE WHEN n % 100 = 1 THEN 'x' ELSE '' END, now() - make_interval(secs => n)
              FROM generate_series(1, 20000) AS n
            """
        )
        cursor.execute("ANALYZE jobs_job")
    plans = {}
    for query in ("", "?state=queued", "?state=dead", "?state=retrying", "?state=running", "?q=order:42"):
        jobs = client.get(f"{LIST}{query}").context["cl"].queryset[:50]
        plans[query] = jobs.explain()

    assert {query: "Seq Scan" in plan for query, plan in plans.items()} == dict.fromkeys(plans, False)


def test_what_can_be_done_to_a_job_is_what_an_action_would_take():
    failed, running, waiting = dead(), claimed(add, 1), add.delay(2)

    for job in Job.objects.all():
        this = Selection(ids=[job.pk])
        assert possible_for(job) == [
            name for name, action in ACTIONS.items() if jobs_of(action, this).exists()
        ]
    assert states() == {failed.id: "dead", running.id: "running", waiting.id: "queued"}
