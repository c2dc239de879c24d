from django.urls import path

from proj.hooks.views import deliveries, endpoints

app_name = "hooks"
urlpatterns = [
    path("", endpoints.overview, name="list"),
    path("<uuid:public_id>/", endpoints.endpoint, name="endpoint"),
    path("<uuid:public_id>/edit/", endpoints.edit, name="edit"),
    path("<uuid:public_id>/secret/", endpoints.rotate, name="rotate"),
    path("<uuid:public_id>/off/", endpoints.turn_off, name="off"),
    path("<uuid:public_id>/on/", endpoints.turn_on, name="on"),
    path("<uuid:public_id>/delete/", endpoints.delete, name="delete"),
    path("<uuid:public_id>/ping/", deliveries.send_ping, name="ping"),
    path("<uuid:public_id>/replay/", deliveries.replay_all, name="replay-failed"),
    path("<uuid:public_id>/<str:event_id>/", deliveries.delivery, name="delivery"),
    path("<uuid:public_id>/<str:event_id>/replay/", deliveries.replay, name="replay"),
]
