from django.urls import path

from orders.payments import views

app_name = "payments"

urlpatterns = [
    path("webhooks/payments", views.webhook, name="webhook"),
]
