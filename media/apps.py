from django.apps import AppConfig

from proj.jobs import retention


class MediaConfig(AppConfig):
    name = "media"
    verbose_name = "avatars"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make known whose tasks these are, what expires here, and the tasks that the pipeline calls by name."""
        from media import files, services, subjects, tasks  # noqa: F401, PLC0415  models are there only when apps are ready

        subjects.register_all()
        retention.register("refused uploads", services.purge_refused_uploads)
        retention.register("loose files", files.discard_loose_files)
