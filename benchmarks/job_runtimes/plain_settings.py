"""Django as a new project has it: what the runtimes that are compared with ours run on."""

import importlib.util
import os

import environ

SECRET_KEY = "not-a-secret"  # noqa: S105  nothing is signed
DATABASES = {"default": environ.Env.db_url_config(os.environ["DATABASE_URL"])}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_celery_results"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

if importlib.util.find_spec("procrastinate"):
    INSTALLED_APPS.append("procrastinate.contrib.django")
    PROCRASTINATE_IMPORT_PATHS = ["benchmarks.job_runtimes.procrastinated"]
