"""The project's settings, and each answer tells how many queries it took."""

from proj.settings import *  # noqa: F403
from proj.settings import MIDDLEWARE as OURS

MIDDLEWARE = ["tests.browser.counting.tell_queries", *OURS]
