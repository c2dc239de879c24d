import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from proj.api.models import Token

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(django_user_model):
    return django_user_model.objects.create_user("alice", is_staff=True)


def create_token(username) -> str:
    out = io.StringIO()
    call_command("create_token", username, stdout=out)
    return out.getvalue()


def status(client, **headers):
    return client.get("/api/v1/jobs", headers=headers)


def test_create_token_prints_the_token_alone_and_it_opens_the_api(client, alice):
    printed = create_token("alice")

    assert printed == printed.strip() + "\n"
    assert status(client, authorization=f"Bearer {printed.strip()}").status_code == 200


def test_the_token_itself_is_stored_nowhere(alice):
    printed = create_token("alice").strip()

    assert printed not in str(Token.objects.values())


def test_create_token_for_nobody_says_so():
    with pytest.raises(CommandError, match="there is no user 'nobody'"):
        create_token("nobody")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic YWxpY2U6eA==", "shop_x"])
def test_without_a_good_token_there_is_a_401_that_says_what_to_send(client, alice, header):
    response = status(client, authorization=header) if header else status(client)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert response.json()["code"] == "unauthenticated"


def test_the_token_of_somebody_who_was_deactivated_opens_nothing(client, alice):
    token = create_token("alice").strip()
    alice.is_active = False
    alice.save()

    assert status(client, authorization=f"Bearer {token}").status_code == 401


def test_a_session_opens_the_api_too(client, alice):
    client.force_login(alice)

    assert status(client).status_code == 200


def test_a_session_without_the_csrf_token_may_not_post(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)

    response = client.post("/api/v1/orders", {"lines": []}, content_type="application/json")

    assert response.status_code == 403
