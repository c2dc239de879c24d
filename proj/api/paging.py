"""Lists by cursor: stable while rows arrive, and as fast on the last page as on the first."""

import base64
import binascii
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet

from proj.api.problems import Problem

MAX_LIMIT = 100

Row = TypeVar("Row", bound=Model)


def paginate(
    queryset: QuerySet[Row],
    cursor: str | None,
    limit: int,
    serialize: Callable[[Row], Any],
    *,
    field: str = "-pk",
) -> dict[str, Any]:
    """Return one page of a queryset.

    Args:
        queryset: any filtered queryset; its order is replaced.
        cursor: ``next`` of the page before, or None for the first page.
        limit: rows on the page, 1 to 100; a number outside is brought into that range.
        serialize: turns a row into its item.
        field: the unique field that orders the list, with ``-`` in front for descending.

    Returns:
        ``{"items": [...], "next": cursor or None}``.

    Raises:
        Problem: 422 when the cursor is not one of ours.
    """
    limit = min(max(limit, 1), MAX_LIMIT)
    name = field.removeprefix("-")
    if cursor is not None:
        comparison = "lt" if field.startswith("-") else "gt"
        queryset = queryset.filter(**{f"{name}__{comparison}": _position(queryset, name, cursor)})
    rows = list(queryset.order_by(field)[: limit + 1])
    more = len(rows) > limit
    page = rows[:limit]
    last = str(page[-1].serializable_value(name)) if more else None
    return {
        "items": [serialize(row) for row in page],
        "next": base64.urlsafe_b64encode(last.encode()).decode() if last is not None else None,
    }


def _position(queryset: QuerySet[Row], name: str, cursor: str) -> Any:
    try:
        # PostgreSQL has no text with a NUL in it, so no cursor of ours has one.
        text = base64.urlsafe_b64decode(cursor.encode()).decode().replace("\x00", "")
        meta = queryset.model._meta  # noqa: SLF001  Django's documented API in spite of its name
        return meta.get_field(meta.pk.name if name == "pk" else name).to_python(text)  # type: ignore[union-attr]
    except (binascii.Error, ValueError, ValidationError) as error:  # UnicodeError is a ValueError
        raise Problem(
            422, "bad_cursor", "The cursor is not valid; pass on next of the page before."
        ) from error
