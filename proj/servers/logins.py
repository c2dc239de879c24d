"""The people that a development system comes with, one for each kind of rights."""

import json
import secrets
from pathlib import Path

from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from proj.servers.state import write_private

USERS = {
    "shopper": {},
    "staff": {"is_staff": True},
    "admin": {"is_staff": True, "is_superuser": True},
}


#: What the member of staff may do: look after orders and money, and see what the operators see.
STAFF_GROUPS = ("shop staff", "operators (view)")


def ensure_logins(var_dir: Path) -> dict[str, str]:
    """Make the demo users where they are missing and return their passwords by name.

    Passwords are drawn once for each var folder: guessable ones would open the admin to every user of the machine.
    """
    file = var_dir / "logins.json"
    passwords: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for name, rights in USERS.items():
        password = passwords.setdefault(name, secrets.token_urlsafe(9))
        user, created = get_user_model().objects.get_or_create(
            username=name, defaults={"email": f"{name}@example.com", **rights}
        )
        if created and rights == USERS["staff"]:
            user.groups.set(Group.objects.filter(name__in=STAFF_GROUPS))
        if created or not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
        # Confirmed: they may have a second factor, and a reset of the password finds them.
        EmailAddress.objects.get_or_create(
            user=user, email=user.email, defaults={"verified": True, "primary": True}
        )
    write_private(file, json.dumps(passwords))
    return passwords
