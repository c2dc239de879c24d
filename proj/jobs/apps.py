from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "proj.jobs"
    label = "jobs"
    verbose_name = "background jobs"
