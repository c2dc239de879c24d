from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "reports"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make known what expires here, whose tasks these are, and the tasks that the pipeline calls by name."""
        from reports import purges, subjects, tasks  # noqa: F401, PLC0415  models are there only when apps are ready

        purges.register_all()
        subjects.register_all()
