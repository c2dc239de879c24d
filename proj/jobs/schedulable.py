"""Which tasks an admin may put on a schedule, and with which arguments.

Whoever edits schedules decides what the workers run: without this list, a name and some JSON would be enough to run any
registered task, also those of libraries.
"""

import inspect
from typing import Any, get_type_hints

from celery import current_app
from django.conf import settings
from pydantic import TypeAdapter, ValidationError


def schedulable_tasks() -> list[str]:
    """Return the names of the tasks that say ``schedulable=True``, and those of ``JOBS_SCHEDULABLE``."""
    current_app.loader.import_default_modules()
    listed = set(settings.JOBS_SCHEDULABLE)
    tasks = current_app.tasks.items()
    return sorted(name for name, task in tasks if name in listed or getattr(task, "schedulable", False))


def argument_errors(task: str, args: list[Any], kwargs: dict[str, Any]) -> list[str]:
    """Return what is wrong with arguments for a registered task, in words; nothing when they fit its signature."""
    run = current_app.tasks[task].run
    signature = inspect.signature(run)
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        return [f"{task}{signature}: {error}."]
    hints = get_type_hints(run)
    errors = (_type_error(name, hints[name], value) for name, value in given.items() if name in hints)
    return [error for error in errors if error]


def _type_error(name: str, hint: Any, value: Any) -> str | None:
    try:
        TypeAdapter(hint).validate_python(value, strict=True)
    except ValidationError as error:
        return f"{name}: {error.errors()[0]['msg']}, not {value!r}."
    return None
