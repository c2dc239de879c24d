from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest

from orders import services
from orders.errors import StockTooLow
from orders.models import Product
from orders.money import format_money
from proj.jobs.admin_audit import Audited


class ProductForm(forms.ModelForm):  # type: ignore[type-arg]
    on_hand = forms.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        initial=0,
        help_text="As counted, including what is reserved for orders that have not left yet.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if hasattr(self.instance, "stock"):
            self.initial["on_hand"] = self.instance.stock.on_hand

    def clean_on_hand(self) -> int:
        on_hand: int = self.cleaned_data["on_hand"]
        if hasattr(self.instance, "stock") and on_hand < self.instance.stock.reserved:
            raise forms.ValidationError(str(StockTooLow(self.instance.sku, self.instance.stock.reserved)))
        return on_hand


@admin.register(Product)
class ProductAdmin(Audited, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    audited_as = "product"
    form = ProductForm
    list_display = ["sku", "name", "price", "on_hand", "reserved", "available", "active"]
    list_filter = ["active", "currency"]
    list_select_related = ["stock"]
    search_fields = ["sku", "name"]
    fields = ["sku", "name", "amount", "currency", "active", "on_hand", "reserved"]
    readonly_fields = ["reserved"]

    @admin.display(ordering="amount")
    def price(self, product: Product) -> str:
        return format_money(product.amount, product.currency)

    @admin.display(ordering="stock__on_hand")
    def on_hand(self, product: Product) -> int:
        return product.stock.on_hand if hasattr(product, "stock") else 0

    @admin.display(ordering="stock__reserved")
    def reserved(self, product: Product) -> int:
        return product.stock.reserved if hasattr(product, "stock") else 0

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:  # noqa: ARG002
        return False  # orders point at it, and one may be on its way: a product is taken off sale instead

    def store_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:  # noqa: FBT001
        super().store_model(request, obj, form, change)
        if "on_hand" not in form.changed_data and change:
            return  # what has been sold since the form was opened stays sold
        try:
            services.set_on_hand(obj, form.cleaned_data["on_hand"])
        except StockTooLow as refusal:  # reserved since the form was checked
            form.cleaned_data["on_hand"] = form.initial.get("on_hand")  # the audit log tells what was done
            self.message_user(request, f"The stock was not changed. {refusal}", messages.ERROR)
