"""The groups of staff, and what each may do. Whoever is in none, and no superuser, sees nothing in the admin.

Operators look after jobs, schedules and queues; the shop's staff after orders and money.
"""

from collections.abc import Mapping, Sequence

_BEAT = ("periodictask", "crontabschedule", "intervalschedule", "clockedschedule", "solarschedule")
_LOOKING = (
    *(
        f"jobs.view_{model}"
        for model in (
            "job",
            "operation",
            "pausedqueue",
            "worker",
            "taskrate",
            "auditentry",
            "schedulepolicy",
            "skippedslots",
        )
    ),
    *(f"django_celery_beat.view_{model}" for model in _BEAT),
    "django_celery_results.view_taskresult",
    "hooks.view_endpoint",
    "hooks.view_delivery",
    "reports.view_report",
    # Why charges wait: the first question when their queue is long.
    "payments.view_incident",
    "payments.view_provider",
)
_ACTING = (
    "jobs.operate_job",
    "jobs.pause_queue",
    "jobs.run_schedule",
    "hooks.change_endpoint",
    "hooks.replay_delivery",
    *(f"jobs.{verb}_taskrate" for verb in ("add", "change", "delete")),
    *(f"django_celery_beat.{verb}_periodictask" for verb in ("add", "change")),
    *(f"django_celery_beat.{verb}_{model}" for verb in ("add", "change") for model in _BEAT[1:3]),
)

_SHOP = (
    *(f"orders.view_{model}" for model in ("order", "product", "stockitem", "sale", "notification")),
    *(
        f"payments.view_{model}"
        for model in (
            "paymentattempt",
            "refund",
            "webhookevent",
            "journalentry",
            "posting",
            "incident",
            "provider",
        )
    ),
    "media.view_avatar",
    "reports.view_report",
)
_SELLING = (
    "orders.cancel_order",
    "orders.refund_order",
    *(f"orders.{verb}_product" for verb in ("add", "change")),
    "payments.resolve_incident",
    "payments.change_provider",
    "payments.change_webhookevent",
    "media.change_avatar",  # process one again
    "reports.add_report",  # ask for one, and export the orders that a list shows
    "reports.change_report",  # cancel one that somebody else has asked for
)

GROUPS: Mapping[str, Sequence[str]] = {
    "operators (view)": _LOOKING,
    "operators": (*_LOOKING, *_ACTING),
    "shop staff (view)": _SHOP,
    "shop staff": (*_SHOP, *_SELLING),
}
