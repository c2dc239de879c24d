import json
import time
from collections import Counter

import pytest
import stripe

from tests.endpoint import WebhookEndpoint, webhook_endpoint
from tests.sandbox import SECRET, Sandbox
from tests.waiting import eventually

PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


@pytest.fixture
def endpoint():
    with webhook_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def wired(tmp_path, endpoint):
    sandbox = Sandbox(tmp_path)
    sandbox.start(webhook=endpoint.url, settle_after=0.3)
    yield sandbox
    if sandbox.process is not None:
        sandbox.stop()


def buy(sandbox: Sandbox, card: str = "pm_card_visa", **extra: object) -> stripe.PaymentIntent:
    params = {"amount": 1000, "currency": "gbp", "confirm": True, "payment_method": card, **extra}
    return sandbox.client().v1.payment_intents.create(params)


def test_each_event_is_sent_once_and_signed(wired, endpoint):
    intent = buy(wired, metadata={"order": "7"})
    posts = endpoint.wait_for(lambda posts: len(posts) == 3)
    assert sorted(post.kind for post in posts) == sorted(PAID)
    for post in posts:
        event = post.verify(SECRET)
        assert (event.data.object.metadata["order"], event.request.id) == (
            "7",
            intent.last_response.request_id,
        )
    eventually(lambda: wired.undelivered() == 0, 15)
    assert {(each.tries, each.status, each.done) for each in wired.deliveries()} == {(1, 200, 1)}


def test_a_wrong_secret_does_not_verify(wired, endpoint):
    buy(wired)
    post = endpoint.wait_for(bool)[0]
    with pytest.raises(stripe.SignatureVerificationError):
        post.verify("whsec_other")


def test_a_webhook_is_sent_again_until_it_is_accepted(wired, endpoint):
    endpoint.answers = [500, 503, 302, 404]
    buy(wired)
    posts = endpoint.wait_for(lambda posts: len(posts) == 7)
    assert sorted({post.kind for post in posts}) == sorted(PAID)
    assert len({post.event["id"] for post in posts}) == 3
    eventually(lambda: wired.undelivered() == 0, 15)
    assert ({each.status for each in wired.deliveries()}, sum(each.tries for each in wired.deliveries())) == (
        {200},
        7,
    )


def test_a_sandbox_that_was_killed_goes_on_delivering(tmp_path, endpoint):
    sandbox = Sandbox(tmp_path)
    with webhook_endpoint() as gone:
        url = gone.url
    sandbox.start(webhook=url)
    intent = buy(sandbox)
    eventually(lambda: [each.tries > 0 for each in sandbox.deliveries()] == [True] * 3, 15)
    assert [(each.status, each.done) for each in sandbox.deliveries()] == [(None, 0)] * 3
    sandbox.kill()
    sandbox.start(webhook=endpoint.url)
    posts = endpoint.wait_for(lambda posts: len(posts) >= 3)
    assert sorted({post.kind for post in posts}) == sorted(PAID)
    assert {post.event["data"]["object"].get("payment_intent", intent.id) for post in posts} == {intent.id}
    sandbox.stop()


def test_every_endpoint_gets_every_event_signed_with_both_secrets(tmp_path, endpoint):
    sandbox = Sandbox(tmp_path)
    with webhook_endpoint() as second:
        sandbox.start(webhook=[endpoint.url, second.url], secret="whsec_new,whsec_old")
        buy(sandbox)
        for each in (endpoint, second):
            for post in each.wait_for(lambda posts: len(posts) == 3):
                assert post.signature.count(",v1=") == 2
                assert post.verify("whsec_new").id == post.verify("whsec_old").id
        sandbox.stop()


def test_the_webhooks_of_a_request_follow_its_answer(wired, endpoint):
    wired.set_faults([{"fault": "delay", "seconds": 0.5}])
    begun = time.time()
    buy(wired)
    assert endpoint.wait_for(lambda posts: len(posts) == 3)[0].at > begun + 0.5


def early(wired: Sandbox, endpoint: WebhookEndpoint) -> int:
    """How many webhooks had come when the answer came."""
    buy(wired)
    return len(endpoint.posts)


def test_webhooks_may_come_before_the_answer(wired, endpoint):
    wired.set_faults([{"fault": "webhook_early", "times": 1}])
    assert early(wired, endpoint) == 3


def test_webhooks_may_come_several_times(wired, endpoint):
    wired.set_faults([{"fault": "webhook_duplicate", "copies": 10, "event": "^payment_intent.succeeded$"}])
    buy(wired)
    posts = endpoint.wait_for(lambda posts: len(posts) == 12)
    assert Counter(post.kind for post in posts) == {
        "payment_intent.created": 1,
        "charge.succeeded": 1,
        "payment_intent.succeeded": 10,
    }


def test_webhooks_may_come_in_the_wrong_order(wired, endpoint):
    wired.set_faults([{"fault": "webhook_reorder", "path": "/v1/payment_intents"}])
    buy(wired)
    assert [post.kind for post in endpoint.wait_for(lambda posts: len(posts) == 3)] == PAID[::-1]


def test_webhooks_may_come_late(wired, endpoint):
    wired.set_faults([{"fault": "webhook_delay", "seconds": 1.5, "event": "created"}])
    buy(wired)
    posts = endpoint.wait_for(lambda posts: len(posts) == 3)
    assert posts[-1].kind == "payment_intent.created"
    assert posts[-1].at - posts[0].at > 0.4


def test_a_webhook_holds_what_was_true_then_and_the_object_what_is_true_now(wired, endpoint):
    intent = buy(wired, "pm_card_settlesLater")
    assert intent.status == "processing"
    posts = endpoint.wait_for(lambda posts: len(posts) == 5)
    assert [post.kind for post in posts if post.kind.startswith("payment_intent")] == [
        "payment_intent.created",
        "payment_intent.processing",
        "payment_intent.succeeded",
    ]
    processing = next(post.event for post in posts if post.kind == "payment_intent.processing")
    assert processing["data"]["object"]["status"] == "processing"
    assert wired.client().v1.events.retrieve(processing["id"]).data.object.status == "processing"
    assert wired.client().v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_refund_is_told_with_the_charge_and_the_refund(wired, endpoint):
    intent = buy(wired)
    endpoint.wait_for(lambda posts: len(posts) == 3)
    made = wired.client().v1.refunds.create({"payment_intent": intent.id, "metadata": {"refund": "3"}})
    told = {
        post.kind: post.event["data"]["object"]
        for post in endpoint.wait_for(lambda posts: len(posts) == 5)[3:]
    }
    assert told["refund.created"] == json.loads(json.dumps(made.to_dict()))
    assert (told["charge.refunded"]["id"], told["charge.refunded"]["amount_refunded"]) == (
        intent.latest_charge,
        1000,
    )


def test_without_an_endpoint_events_wait_in_the_books(sandbox, endpoint):
    buy(sandbox)
    assert (sandbox.undelivered(), sandbox.deliveries()) == (3, [])
    sandbox.stop()
    sandbox.start(webhook=endpoint.url)
    assert sorted(post.kind for post in endpoint.wait_for(lambda posts: len(posts) == 3)) == sorted(PAID)
