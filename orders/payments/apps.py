from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "orders.payments"
    label = "payments"
    verbose_name = "Payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # What needs the models can only be imported now. The tasks are needed in every process, also those that
        # only enqueue: they are named, and an unknown name would lose its queue and limits.
        from orders.payments import incidents, retention, subjects, tasks  # noqa: F401, PLC0415
        from proj.console import incidents as console  # noqa: PLC0415
        from proj.jobs import retention as jobs_retention  # noqa: PLC0415

        subjects.register_all()
        jobs_retention.register("webhooks", retention.purge_events)
        console.register("payments", "payments.view_incident", incidents.newest_open)
        console.register("the payment provider", "payments.view_provider", incidents.providers_in_trouble)
