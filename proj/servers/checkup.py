"""Is this machine fit to run the system, and does the system run? Each answer that is no says how to mend it."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import django
import psycopg
import redis
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django_celery_beat.models import PeriodicTask

from proj.jobs.health import consumers
from proj.queues import PURPOSES
from proj.schedule import SCHEDULES
from proj.servers.records import read_records
from proj.servers.state import is_free

OLDEST_PYTHON = (3, 11)
OLDEST_POSTGRES = 140000  # as server_version: what Django 5.2 supports
LEAST_SPACE = 1 << 30  # bytes: a day of logs, uploads and the database's own reserve
BROKER_SECONDS = 5


class Finding(NamedTuple):
    """What a check found: ``detail`` is what is, ``fix`` what to do about it when it is not ``ok``."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def check_python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    fix = f"install Python {'.'.join(map(str, OLDEST_PYTHON))} or later and run make clean-all"
    return Finding(
        "python", sys.version_info >= OLDEST_PYTHON, f"{version}, Django {django.__version__}", fix
    )


def check_space() -> Finding:
    free = shutil.disk_usage(settings.VAR_DIR if settings.VAR_DIR.exists() else settings.BASE_DIR).free
    return Finding(
        "disk", free >= LEAST_SPACE, f"{free / 1e9:.1f} GB free", "free some space, or set VAR_DIR elsewhere"
    )


def check_files() -> Finding:
    try:
        for name in ("default", "quarantine", "reports"):
            storage = storages[name]
            storage.delete(storage.save("doctor.txt", ContentFile(b"written by manage.py doctor")))
    except OSError as error:
        return Finding("files", False, str(error), f"let this user write to {settings.VAR_DIR}")
    return Finding("files", True, f"{settings.VAR_DIR} can be written")


def check_database() -> Finding:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version_num")
            (version,) = cursor.fetchone()
    except (DatabaseError, psycopg.Error) as error:
        fix = "start the server that DATABASE_URL names, or unset it: one of our own is started then"
        return Finding("database", False, str(error).strip(), fix)
    fix = f"PostgreSQL {OLDEST_POSTGRES // 10000} or later is needed"
    return Finding("database", int(version) >= OLDEST_POSTGRES, f"PostgreSQL {int(version) // 10000}", fix)


def check_migrations() -> Finding:
    try:
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except DatabaseError as error:
        return Finding("migrations", False, str(error).strip(), "mend the database first")
    return Finding("migrations", not missing, f"{missing} to apply", "run manage.py migrate")


def check_schedules() -> Finding:
    try:
        known = set(PeriodicTask.objects.values_list("name", flat=True))
    except DatabaseError as error:
        return Finding("schedules", False, str(error).strip().splitlines()[0], "run manage.py migrate")
    missing = [entry.name for entry in SCHEDULES if entry.name not in known]
    detail = f"missing: {', '.join(missing)}" if missing else f"{len(known)} in the database"
    return Finding("schedules", not missing, detail, "run manage.py ensure_schedules")


def check_broker() -> Finding:
    client = redis.Redis.from_url(
        settings.CELERY_BROKER_URL, socket_timeout=BROKER_SECONDS, socket_connect_timeout=BROKER_SECONDS
    )
    try:
        version = client.info("server")["redis_version"]
        memory = client.info("memory").get("maxmemory_policy", "unknown")
        append_only = bool(client.info("persistence").get("aof_enabled"))
    except redis.RedisError as error:
        fix = "start the server that CELERY_BROKER_URL names, or unset it: one of our own is started then"
        return Finding("broker", False, str(error), fix)
    finally:
        client.close()
    detail = f"Redis {version}, maxmemory-policy {memory}, append-only file {'on' if append_only else 'off'}"
    fix = "set maxmemory-policy noeviction and appendonly yes: otherwise Redis may drop messages"
    return Finding("broker", memory == "noeviction" and append_only, detail, fix)


def check_consumers() -> Finding:
    try:
        missing = set(PURPOSES) - consumers.queues()
    except Exception as error:  # noqa: BLE001  whatever kombu and redis raise when there is no broker
        return Finding("consumers", False, type(error).__name__, "mend the broker first")
    detail = f"nobody consumes {', '.join(sorted(missing))}" if missing else "every queue has one"
    return Finding("consumers", not missing, detail, "run make up, or start a worker with --queues for these")


def check_port() -> Finding:
    port = int(os.environ.get("PORT") or 8000)
    if is_free(port):
        return Finding("port", True, f"{port} is free")
    if any(record.name == "web" for record in read_records(settings.VAR_DIR)):
        return Finding("port", True, f"{port} is taken; the system is running")
    return Finding("port", True, f"{port} is taken: make up will use the next free one, or set PORT")


CHECKS: tuple[Callable[[], Finding], ...] = (
    check_python,
    check_space,
    check_files,
    check_database,
    check_migrations,
    check_schedules,
    check_broker,
    check_consumers,
    check_port,
)


def findings() -> Iterator[Finding]:
    """Run every check; one that fails does not keep the others from running."""
    for check in CHECKS:
        yield check()
