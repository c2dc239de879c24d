from django.urls import URLPattern, path, re_path

from media import views

app_name = "media"
urlpatterns = [
    path("", views.profile, name="profile"),
    path("avatar/", views.avatar, name="avatar"),
    path("delete/", views.delete, name="delete"),
]

#: To be mounted at MEDIA_URL. The pattern is what we name thumbnails: no other file can be asked for.
uploads: list[URLPattern] = [
    re_path(
        r"^(?P<name>[0-9a-f]{2}/[0-9a-f]{32}-[0-9]{2,3})\.(?P<extension>webp|jpeg)$",
        views.thumbnail,
        name="thumbnail",
    ),
]
