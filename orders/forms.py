"""What people send from the pages. Each form checks shapes; what is possible is for the services to say."""

from typing import NamedTuple

from django import forms

from orders.carts import MAX_QUANTITY


class SandboxCard(NamedTuple):
    name: str
    outcome: str


#: The provider's own: no real card is asked for anywhere.
SANDBOX_CARDS = {
    "pm_card_visa": SandboxCard("Visa ending in 4242", "is accepted"),
    "pm_card_mastercard": SandboxCard("Mastercard ending in 4444", "is accepted"),
    "pm_card_chargeDeclined": SandboxCard("Visa ending in 0002", "is declined"),
    "pm_card_chargeDeclinedInsufficientFunds": SandboxCard(
        "Visa ending in 9995", "is declined: too little money"
    ),
}


class SearchForm(forms.Form):
    q = forms.CharField(
        label="Search the shop",
        required=False,
        max_length=100,
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": "Name or number", "enterkeyhint": "search"}
        ),
    )


class CartForm(forms.Form):
    """A form that is too small to be shown again with its errors: they become one message."""

    def problems(self) -> list[str]:
        return [str(error) for errors in self.errors.values() for error in errors]


class AddToCartForm(CartForm):
    sku = forms.CharField(max_length=64)
    quantity = forms.IntegerField(min_value=1, max_value=MAX_QUANTITY)


class ChangeQuantityForm(CartForm):
    sku = forms.CharField(max_length=64)
    quantity = forms.IntegerField(min_value=0, max_value=MAX_QUANTITY)


class CheckoutForm(forms.Form):
    """`checkout_key` makes two clicks one order; `agreed_amount` is the total that the person saw."""

    checkout_key = forms.UUIDField(widget=forms.HiddenInput)
    agreed_amount = forms.IntegerField(widget=forms.HiddenInput)
    express = forms.BooleanField(
        required=False, label="Express", help_text="Handled before all orders that are not."
    )
    payment_method = forms.ChoiceField(
        label="Card",
        choices=[(key, f"{card.name} {card.outcome}") for key, card in SANDBOX_CARDS.items()],
        widget=forms.RadioSelect,
        help_text="These are test cards of the payment sandbox: no money moves.",
    )
