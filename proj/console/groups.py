"""The two groups of operators, and what each may do. Whoever is in neither, and no superuser, sees no job at all."""

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
            "auditentry",
            "schedulepolicy",
            "skippedslots",
        )
    ),
    *(f"django_celery_beat.view_{model}" for model in _BEAT),
    "django_celery_results.view_taskresult",
)
_ACTING = (
    "jobs.operate_job",
    "jobs.pause_queue",
    "jobs.run_schedule",
    *(f"django_celery_beat.{verb}_periodictask" for verb in ("add", "change")),
    *(f"django_celery_beat.{verb}_{model}" for verb in ("add", "change") for model in _BEAT[1:3]),
)

GROUPS: Mapping[str, Sequence[str]] = {
    "operators (view)": _LOOKING,
    "operators": (*_LOOKING, *_ACTING),
}
