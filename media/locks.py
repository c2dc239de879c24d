"""The one lock of this app: everything that decides which of a person's avatars is in use holds it."""

from django.contrib.auth import get_user_model


def lock_avatars_of(owner_id: int) -> bool:
    """Hold the person's avatars until the caller's transaction ends.

    Locks the user's row, without its key, so that rows which only refer to the person can still be inserted.

    Returns:
        False when there is no such person any more.
    """
    people = get_user_model()._default_manager.select_for_update(no_key=True)  # noqa: SLF001  Django's documented API
    return people.filter(pk=owner_id).exists()
