from django.apps import AppConfig


class ServersConfig(AppConfig):
    name = "proj.servers"
    label = "servers"
