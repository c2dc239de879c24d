import json

from django.db import connection

from tests.workers import probes


def ask(ended, queue: str = "critical") -> tuple[int, int]:
    """Run one probe; return its process and its backend. The critical worker has one process."""
    row = ended(probes.database_connection.apply_async(queue=queue))
    assert row.status == "SUCCESS"
    process, backend = json.loads(row.result)
    return process, backend


def test_the_connection_to_the_database_is_kept_between_tasks(shop, ended):
    assert len({ask(ended) for _ in range(5)}) == 1


def test_a_connection_that_was_cut_costs_no_task(shop, ended):
    process, before = ask(ended)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [before])

    again, after = ask(ended)

    assert (again, after != before) == (process, True)
    assert ask(ended) == (again, after)


def test_threads_keep_one_connection_each(shop, ended):
    results = [probes.database_connection.apply_async(queue="io") for _ in range(40)]

    backends = {json.loads(ended(result).result)[1] for result in results}

    assert 1 <= len(backends) <= 8
