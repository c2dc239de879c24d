import pytest
from celery import current_app

from proj.queues import NORMAL, PURPOSES, URGENT, WORKERS, route_by_content


def queue_of(name, **options):
    task = current_app.tasks.get(name)
    options.setdefault("priority", NORMAL)
    return current_app.amqp.router.route(options, name, (), {}, task)["queue"].name


def test_each_queue_has_exactly_one_group_of_workers():
    consumed = [queue for group in WORKERS for queue in group.queues]

    assert sorted(consumed) == sorted(PURPOSES)


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("orders.validate_order", "default"),
        ("orders.charge_order", "io"),
        ("orders.notify_customer", "io"),
        ("hooks.deliver", "hooks"),
        ("media.process_avatar", "compute"),
        ("reports.clean_up", "bulk"),
        ("celery.backend_cleanup", "bulk"),
        ("somebody.elses", "default"),
    ],
)
def test_a_task_goes_to_the_queue_its_definition_names(task, queue):
    assert queue_of(task) == queue


def test_webhooks_share_their_workers_with_nothing_else():
    (group,) = (group for group in WORKERS if "hooks" in group.queues)
    tasks = {
        name for name, task in current_app.tasks.items() if getattr(task, "home_queue", None) in group.queues
    }

    assert tasks == {"hooks.deliver", "hooks.resume_waiting"}


@pytest.mark.parametrize("task", ["orders.validate_order", "orders.charge_order", "orders.notify_customer"])
def test_the_steps_of_an_urgent_order_go_to_the_critical_queue(task):
    assert queue_of(task, priority=URGENT) == "critical"


def test_urgency_moves_nothing_but_orders():
    assert queue_of("media.process_avatar", priority=URGENT) == "compute"


def test_a_queue_named_by_the_caller_wins():
    assert queue_of("orders.validate_order", queue="bulk") == "bulk"


def test_a_queue_that_does_not_exist_is_refused():
    with pytest.raises(Exception, match="missing from task_queues"):
        queue_of("orders.validate_order", queue="bluk")


def test_without_a_priority_nothing_is_urgent():
    assert route_by_content("orders.validate_order", (), {}, {}) is None
