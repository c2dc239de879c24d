"""Endpoints of a person: what is stored of them, what is refused, and what remains."""

from datetime import timedelta

import pytest
from cryptography.fernet import InvalidToken
from django.db import connection
from django.utils import timezone

from proj.hooks import purges, signing
from proj.hooks.endpoints import (
    MAX_ENDPOINTS,
    EndpointRefused,
    change_endpoint,
    create_endpoint,
    delete_endpoint,
)
from proj.hooks.models import Attempt, Delivery, Endpoint, State
from proj.jobs import retention

pytestmark = pytest.mark.django_db
URL = "https://example.com/hooks"


def test_signatures_are_those_of_the_other_implementations():
    """The example with which the reference libraries of Standard Webhooks are tested."""
    key = signing.unseal(signing.seal("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))

    headers = signing.signature_headers(
        [key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_is_random_and_nowhere_in_the_database(made, ann):
    endpoint, secret = made
    _, other = create_endpoint(ann, URL, ["order.paid"])

    assert secret.startswith("whsec_")
    assert len(endpoint.secrets(timezone.now())[0]) == 32
    assert secret != other
    with connection.cursor() as cursor:
        cursor.execute("SELECT hooks_endpoint::text FROM hooks_endpoint")
        stored = str(cursor.fetchall())
    assert secret.removeprefix("whsec_") not in stored


def test_a_secret_outlives_the_key_it_is_kept_under(settings, made):
    endpoint, _ = made
    key = endpoint.secrets(timezone.now())
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert endpoint.secrets(timezone.now()) == key

    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(InvalidToken):
        endpoint.secrets(timezone.now())


@pytest.mark.parametrize(
    ("url", "wanted", "field"),
    [
        ("ftp://example.com", ["order.paid"], "url"),
        (URL, [], "events"),
        (URL, ["order.teleported"], "events"),
        (URL, ["webhook.ping"], "events"),
    ],
)
def test_what_cannot_be_is_refused(endpoint, ann, url, wanted, field):
    with pytest.raises(EndpointRefused) as refused:
        create_endpoint(ann, url, wanted)
    assert refused.value.field == field
    assert Endpoint.objects.count() == 1

    with pytest.raises(EndpointRefused):
        change_endpoint(endpoint, url=url, wanted=wanted, description="other")
    endpoint.refresh_from_db()
    assert (endpoint.kinds, endpoint.description) == (["order.paid", "order.cancelled"], "Till 3")


def test_a_person_has_some_endpoints_and_not_any_number(ann):
    for _ in range(MAX_ENDPOINTS):
        create_endpoint(ann, URL, ["order.paid"])

    with pytest.raises(EndpointRefused, match="10 endpoints"):
        create_endpoint(ann, URL, ["order.paid"])

    assert Endpoint.objects.count() == MAX_ENDPOINTS


def test_another_address_has_not_failed_yet(endpoint):
    now = timezone.now()
    Endpoint.objects.update(failures=7, failing_since=now, quiet_until=now + timedelta(minutes=5))

    assert change_endpoint(endpoint, description="same address").failures == 7
    changed = change_endpoint(endpoint, url=URL)

    assert (changed.url, changed.failures, changed.failing_since, changed.quiet_until) == (URL, 0, None, None)


def test_old_deliveries_are_purged_in_batches_and_those_under_way_are_not(tell, endpoint):
    now = timezone.now()
    long_ago = now - purges.DELIVERIES_KEPT - timedelta(minutes=1)
    old = [tell() for _ in range(3)]
    Delivery.objects.update(state=State.DELIVERED, settled_at=long_ago, created_at=long_ago)
    Attempt.objects.create(delivery=old[0])
    fresh, pending = tell(), tell()
    Delivery.objects.filter(pk=fresh.pk).update(state=State.FAILED, settled_at=now)
    Delivery.objects.filter(pk=pending.pk).update(created_at=long_ago)

    assert [purges.purge_deliveries(2, now) for _ in range(3)] == [2, 1, 0]

    assert set(Delivery.objects.all()) == {fresh, pending}
    assert not Attempt.objects.exists()


def test_a_deleted_endpoint_goes_when_its_deliveries_have_gone(tell, endpoint, ann):
    for _ in range(3):
        tell()
    kept, _ = create_endpoint(ann, URL, ["order.paid"])
    delete_endpoint(endpoint)
    now = timezone.now()

    assert purges.purge_endpoints(2, now) == 2
    assert Endpoint.objects.count() == 2
    assert purges.purge_endpoints(2, now) == 2  # the last delivery, and the endpoint
    assert purges.purge_endpoints(2, now) == 0
    assert list(Endpoint.objects.all()) == [kept]


def test_the_nightly_clean_up_knows_both():
    assert retention.registered()["webhook deliveries"] is purges.purge_deliveries
    assert retention.registered()["deleted webhook endpoints"] is purges.purge_endpoints


def test_when_a_person_goes_so_do_their_endpoints(endpoint, ann):
    ann.delete()

    endpoint.refresh_from_db()
    assert not endpoint.is_on
    assert purges.purge_endpoints(10, timezone.now()) == 1
