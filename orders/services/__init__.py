"""What can be done to an order: one file for each group of verbs; everybody imports them from here.

Each function owns its transaction unless it says that it needs the caller's. Every step of the pipeline
(`validate_order`, `reserve_stock`, `fulfil_order`, `notify_customer`, `record_sale`) may be called twice, late or
concurrently: it locks the order, does nothing unless it is that step's turn, and returns the order as it is then.
"""

from orders.services.catalogue import CatalogueRow, Loaded, load_catalogue
from orders.services.ending import abandon_order, cancel_order
from orders.services.fulfilling import complete_if_done, fulfil_order, record_sale
from orders.services.notifying import announce, notify_customer, send_notification
from orders.services.placing import LineRequest, Placed, place_order
from orders.services.refunding import refund_order
from orders.services.resuming import resume_order, resume_stuck_orders, why_not_resume
from orders.services.settling import mark_paid, mark_payment_failed
from orders.services.stock import release_stock, reserve_stock, set_on_hand
from orders.services.validating import validate_order

__all__ = [
    "CatalogueRow",
    "LineRequest",
    "Loaded",
    "Placed",
    "abandon_order",
    "announce",
    "cancel_order",
    "complete_if_done",
    "fulfil_order",
    "load_catalogue",
    "mark_paid",
    "mark_payment_failed",
    "notify_customer",
    "place_order",
    "record_sale",
    "refund_order",
    "release_stock",
    "reserve_stock",
    "resume_order",
    "resume_stuck_orders",
    "send_notification",
    "set_on_hand",
    "validate_order",
    "why_not_resume",
]
