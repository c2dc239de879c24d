"""How often somebody may try, as django-allauth counts it: by client address (ip), by person (user), or by what was
typed (key).

Every window is a minute, but for wrong passwords and codes: so the answer to one try too many can name a time after
which the next is taken for sure, without a look at which of the limits it was.
"""

from collections.abc import Mapping

#: Seconds.
WINDOW, FAILED_WINDOW = 60, 300

#: A person mistypes a few times in a row, and behind one address there may be an office. Ten wrong passwords in five
#: minutes are 2,880 a day for an account, from all the world together; a password reset sets its owner free at once.
RATE_LIMITS: Mapping[str, str] = {
    "login": "30/m/ip",
    "login_failed": f"20/m/ip,10/{FAILED_WINDOW}s/key",
    "signup": "10/m/ip",
    "reset_password": "10/m/ip,3/m/key",
    "reset_password_from_key": "20/m/ip",
    "change_password": "5/m/user",
    "manage_email": "10/m/user",
    "reauthenticate": "10/m/user",
    "confirm_email": "1/m/key",
}
