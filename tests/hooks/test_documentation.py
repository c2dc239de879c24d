"""What docs/api.md tells receivers to do is right."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.utils import timezone

from proj.hooks.delivering import deliver

pytestmark = pytest.mark.django_db

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def test_a_receiver_can_check_signatures_as_the_documentation_shows(tell, receiver, made):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shown: dict = {}
    exec(code, shown)  # noqa: S102  our own page
    is_ours = shown["is_ours"]
    deliver(tell(id="42").pk)
    (post,), (_, secret) = receiver.posts, made

    assert is_ours(post.headers, post.body, secret)
    assert not is_ours(post.headers, post.body + b" ", secret)
    assert not is_ours(post.headers, post.body, "whsec_c29tZWJvZHkgZWxzZSdz")
    with time_machine.travel(timezone.now() + timedelta(seconds=302)):
        assert not is_ours(post.headers, post.body, secret)
