from django.apps import AppConfig
from django.contrib.admin import apps as admin


class AdminConfig(admin.AdminConfig):
    """Django's admin, with the operators' dashboard as its first page."""

    default = False  # for this package it is the other one
    default_site = "proj.console.site.ConsoleSite"


class ConsoleConfig(AppConfig):
    name = "proj.console"
    label = "console"
    verbose_name = "operators' console"
