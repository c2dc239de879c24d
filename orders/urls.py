from django.urls import path

from orders.views import cart, catalogue, order

app_name = "orders"
urlpatterns = [
    path("", catalogue.catalogue, name="catalogue"),
    path("cart/", cart.cart, name="cart"),
    path("cart/add/", catalogue.add, name="add"),
    path("cart/change/", cart.change, name="change"),
    path("cart/checkout/", cart.checkout, name="checkout"),
    path("orders/", order.order_list, name="list"),
    path("orders/<uuid:public_id>/", order.order_detail, name="detail"),
    path("orders/<uuid:public_id>/cancel/", order.cancel, name="cancel"),
    path("orders/<uuid:public_id>/again/", order.again, name="again"),
]
