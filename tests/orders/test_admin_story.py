"""The story on an order's page in the admin: everything by everybody, by time, with links both ways."""

from datetime import datetime, timedelta, timezone

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.urls import reverse
from django_celery_results.models import TaskResult

from orders.admin import story
from orders.models import Notification, Order, OrderStep
from orders.payments.models import AttemptState, Incident, RefundState, WebhookEvent
from proj.jobs import audit
from proj.jobs.models import AuditEntry, Job, State
from tests.factories import make_order, make_payment, make_refund, make_user

pytestmark = pytest.mark.django_db

THEN = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def page_of(client, order):
    return client.get(reverse("admin:orders_order_change", args=[order.pk]))


def make_job(subject: str, identity: str, **fields) -> Job:
    return Job.objects.create(
        id=identity,
        subject=subject,
        **{"task": "orders.charge_order", "queue": "io", "priority": 5, "message": {}, **fields},
    )


def record(action: str, target: str, **fields) -> None:
    with transaction.atomic():
        audit.record(audit.Actor("boss", None, audit.ADMIN), action, target, **fields)


def touch(row, **fields) -> None:
    type(row).objects.filter(pk=row.pk).update(**fields)


@pytest.fixture
def eventful() -> Order:
    """An order to which one thing of each kind has happened, a minute after the other."""
    order = make_order(placed_at=THEN)
    minute = iter(THEN + timedelta(minutes=n) for n in range(20))
    touch(order.events.get(), created_at=next(minute))
    payment = make_payment(order, provider_ref="pi_7")
    touch(payment, created_at=next(minute), updated_at=next(minute))
    WebhookEvent.objects.create(
        provider="stripe", event_id="evt_1", kind="payment_intent.succeeded", object_ref="pi_7", payload={},
        created_at=THEN, received_at=next(minute), state="processed",
    )  # fmt: skip
    OrderStep.objects.filter(order=order, name="validate").update(task_id="ended")
    result = TaskResult.objects.create(
        task_id="ended", task_name="orders.validate_order", status="SUCCESS", worker="w1",
        meta=f'{{"attempt": 2, "queue": "default", "subject": "order:{order.pk}"}}',
    )  # fmt: skip
    touch(result, date_done=next(minute))
    Notification.objects.create(order=order, kind="paid", recipient="ann@example.com", sent_at=next(minute))
    refund = make_refund(payment, 100, state=RefundState.FAILED, error_detail="closed account")
    touch(refund, created_at=next(minute), updated_at=next(minute))
    Incident.objects.create(
        order=order, kind="refund_failed", fingerprint="x", summary="Refused.", opened_at=next(minute)
    )
    make_job(
        f"refund:{refund.pk}", "dead", task="payments.send_refund", state=State.DEAD, attempt=3,
        error="Misconfigured: no key", claimed_at=next(minute), created_at=THEN,
    )  # fmt: skip
    record("order.refund", f"order:{order.pk}", reason="It came broken.", after={"amount": 100})
    make_job(
        f"order:{order.pk}", "waits", attempt=1, error="Timeout",
        available_at=datetime.now(timezone.utc) + timedelta(hours=1),
    )  # fmt: skip
    return order


def test_everything_that_happened_is_in_one_list_by_time(boss, eventful):
    entries = page_of(boss, eventful).context["story"].entries

    assert [(entry.kind, entry.what) for entry in reversed(entries)] == [
        ("order", "placed"),
        ("payment", "attempt 1: £5.00 asked for"),
        ("payment", "attempt 1: succeeded"),
        ("provider", "payment_intent.succeeded"),
        ("job", "orders.validate_order: succeeded"),
        ("mail", "the payment has arrived: sent"),
        ("refund", f"refund {eventful.payment_attempts.get().refunds.get().pk}: £1.00 to go back"),
        ("refund", f"refund {eventful.payment_attempts.get().refunds.get().pk}: failed"),
        ("incident", "the provider refused a refund"),
        ("job", "payments.send_refund: dead"),
        ("staff", f"order.refund order:{eventful.pk}"),
        ("job", "orders.charge_order: retrying"),
    ]
    assert [entry.at for entry in entries] == sorted((entry.at for entry in entries), reverse=True)
    assert {entry.what for entry in entries if entry.look == "ahead"} == {"orders.charge_order: retrying"}
    assert len([entry for entry in entries if entry.look == "bad"]) == 3


def test_the_page_shows_the_story_in_words_and_leads_to_each_thing(boss, eventful):
    page = page_of(boss, eventful).text

    for words in (
        "attempt 2, default",
        "closed account",
        "attempt 3, io, Misconfigured: no key",
        "It came broken.",
    ):
        assert words in page
    for row in (
        eventful.payment_attempts.get(),
        eventful.payment_attempts.get().refunds.get(),
        eventful.notifications.get(),
        eventful.incidents.get(),
        WebhookEvent.objects.get(),
        Job.objects.get(pk="dead"),
        Job.objects.get(pk="waits"),
        TaskResult.objects.get(),
        AuditEntry.objects.get(),
    ):
        url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
        assert f'href="{url}"' in page


@pytest.mark.parametrize("subject", ["order", "notification", "refund"])
def test_a_job_leads_staff_back_to_the_order_in_the_admin(boss, eventful, subject):
    mail, refund = eventful.notifications.get(), eventful.payment_attempts.get().refunds.get()
    number = {"order": eventful.pk, "notification": mail.pk, "refund": refund.pk}[subject]

    response = boss.get(reverse("admin:jobs_job_subject", args=[f"{subject}:{number}"]))

    assert response["Location"] == reverse("admin:orders_order_change", args=[eventful.pk])
    assert boss.get(response["Location"]).status_code == 200


def test_who_may_only_look_at_orders_reads_the_story_without_links_that_lead_to_a_refusal(client, eventful):
    looker = make_user(is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename="view_order"))
    client.force_login(looker)

    entries = page_of(client, eventful).context["story"].entries

    assert len(entries) == 12
    assert [entry.url for entry in entries if entry.url] == []


def test_what_belongs_to_other_orders_is_not_in_the_story(boss, eventful):
    other = make_order()
    make_payment(other, provider_ref="pi_8")
    make_job(f"order:{other.pk}", "other")
    record("order.cancel", f"order:{other.pk}")
    record("order.cancel", f"order:{eventful.pk}0")
    WebhookEvent.objects.create(
        provider="stripe", event_id="evt_2", kind="x", object_ref="", payload={}, created_at=THEN
    )

    assert len(page_of(boss, eventful).context["story"].entries) == 12


def test_a_story_costs_the_same_queries_however_much_has_happened(
    boss, eventful, django_assert_num_queries, django_assert_max_num_queries
):
    ContentType.objects.get_for_model(Order)
    with django_assert_max_num_queries(25) as few:
        page_of(boss, eventful)
    payment = eventful.payment_attempts.get()
    for number in range(20):
        refund = make_refund(payment, 1, provider_ref=f"re_{number}")
        eventful.note("seen", actor="x")
        Notification.objects.create(order=eventful, kind="refunded", reference=str(number), sent_at=THEN)
        make_job(f"refund:{refund.pk}", f"job{number}")
        record("job.retry", f"job:job{number}")
        TaskResult.objects.create(task_id=f"job{number}", status="FAILURE", task_name="x")
        WebhookEvent.objects.create(
            provider="stripe", event_id=f"evt_r{number}", kind="x", object_ref=f"re_{number}", payload={},
            created_at=THEN,
        )  # fmt: skip

    with django_assert_num_queries(len(few)):
        entries = page_of(boss, eventful).context["story"].entries
    assert len(entries) == 12 + 20 * 7


def test_a_very_long_story_is_cut_and_says_so(boss, monkeypatch):
    order = make_order()
    monkeypatch.setattr(story, "MOST", 3)
    for _ in range(5):
        order.note("seen", actor="x")

    response = page_of(boss, order)

    assert len(response.context["story"].entries) == 3
    assert "There is more of it than is shown here" in response.text


def test_a_payment_without_an_answer_is_not_over(boss):
    order = make_order()
    make_payment(order, state=AttemptState.UNKNOWN)

    looks = {entry.what: entry.look for entry in page_of(boss, order).context["story"].entries}

    assert looks["attempt 1: unknown"] == "ahead"
