"""How log lines look: key and value, on a terminal in colour, in production as JSON; the same for web and workers."""

import sys
from collections.abc import Callable
from typing import Any

import structlog

Processor = Callable[[Any, str, Any], Any]

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,  # request_id, user_id, task_id: bound by django-structlog
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def structlog_processors() -> list[Processor]:
    """Processors of loggers made by structlog; the formatter of :func:`logging_config` writes the line."""
    return [
        structlog.stdlib.filter_by_level,
        *_SHARED,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ]


def logging_config(*, as_json: bool, level: str) -> dict[str, Any]:
    """Return Django's LOGGING.

    Args:
        as_json: one JSON object a line, for machines; otherwise text for people.
        level: the least severe level that is written, such as ``"INFO"``.
    """
    # Rich's tracebacks are beautiful and take seconds to draw, inside the request that logs them.
    people = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    renderer: Processor = structlog.processors.JSONRenderer() if as_json else people
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processor": renderer,
                "foreign_pre_chain": [*_SHARED, structlog.processors.format_exc_info] if as_json else _SHARED,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.server": {"handlers": ["stderr"], "level": level, "propagate": False},
            # One line a request is enough, and django-structlog writes it.
            "gunicorn.access": {"level": "WARNING"},
            "kombu": {"level": "WARNING"},
            "stripe": {"level": "WARNING"},  # two lines for each charge
            "pyvips": {"level": "WARNING"},  # it tells of every thread that libvips starts
        },
    }
