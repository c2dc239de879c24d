from django.urls import path

from reports import views

app_name = "reports"
urlpatterns = [
    path("", views.report_list, name="list"),
    path("orders/", views.export_orders, name="orders"),
    path("<uuid:public_id>/", views.report_detail, name="detail"),
    path("<uuid:public_id>/progress/", views.report_progress, name="progress"),
    path("<uuid:public_id>/file/", views.report_download, name="download"),
    path("<uuid:public_id>/cancel/", views.report_cancel, name="cancel"),
]
