from django.apps import AppConfig

from proj.jobs import retention


class HooksConfig(AppConfig):
    name = "proj.hooks"
    verbose_name = "webhooks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the tasks known to every process that enqueues them, and say what is told and what expires here."""
        from proj.hooks import kinds, purges, subjects, tasks  # noqa: F401, PLC0415  models are there only now

        kinds.register(
            kinds.PING, "Sent when you ask for it, to try an endpoint out.", {"message": "It works."}
        )
        subjects.register_all()
        retention.register("webhook deliveries", purges.purge_deliveries)
        retention.register("deleted webhook endpoints", purges.purge_endpoints)
