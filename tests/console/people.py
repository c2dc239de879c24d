"""Staff who may do some things and not others."""

from io import StringIO

from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command

from tests.factories import make_user


def staff(*codenames: str) -> User:
    """Return a member of staff with so many permissions, by their code names."""
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def member(group: str) -> User:
    """Return a member of staff in one of the groups that ``ensure_groups`` makes."""
    call_command("ensure_groups", stdout=StringIO())
    user = make_user(is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user
