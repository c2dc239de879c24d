from proj.hooks.models.delivery import Attempt, Delivery, State
from proj.hooks.models.endpoint import Endpoint

__all__ = ["Attempt", "Delivery", "Endpoint", "State"]
