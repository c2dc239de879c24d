from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "proj.demo"
    label = "demo"
