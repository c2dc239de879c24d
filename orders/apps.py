from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self) -> None:
        # What needs the models can only be imported now. The tasks are needed in every process, also those that
        # only enqueue: the pipeline names them, and an unknown name would lose its queue and limits.
        from orders import retention, subjects, tasks, webhooks  # noqa: F401, PLC0415
        from proj.jobs import retention as jobs_retention  # noqa: PLC0415

        subjects.register_all()
        webhooks.register_all()
        jobs_retention.register("carts", retention.purge_carts)
        jobs_retention.register("idempotency keys", retention.purge_idempotency_keys)
