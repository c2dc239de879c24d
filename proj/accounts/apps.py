from django.apps import AppConfig

from proj.jobs import retention


class AccountsConfig(AppConfig):
    name = "proj.accounts"
    verbose_name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the task known to every process that enqueues it, and say what expires here."""
        from proj.accounts import purges, tasks  # noqa: F401, PLC0415  models are there only now

        retention.register("unsent account mails", purges.purge_mails)
        retention.register("expired API tokens", purges.purge_tokens)
