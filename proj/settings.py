"""Settings: one file, driven by the environment, in reading order. Every value that is not a default says why."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
import structlog

from proj.accounts.rates import RATE_LIMITS
from proj.logs import logging_config, structlog_processors
from proj.queues import DEFAULT, NORMAL, QUEUES, route_by_content, route_by_task

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- Where things are -------------------------------------------------------------------------------------------------

VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()
DATABASE_URL = env.str("DATABASE_URL")
SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list(
    "SECRET_KEY_FALLBACKS", default=[]
)  # those before it, while it is being replaced
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# --- Django -----------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "proj.console.apps.AdminConfig",  # django.contrib.admin, with our site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "django_celery_results",
    "django_htmx",
    "django_structlog",
    "csp",
    "ninja",  # serves the files of the API's documentation page
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "proj.servers",
    "proj.demo",
    "proj.jobs",
    "proj.console",
    "proj.api",
    "proj.accounts",
    "proj.hooks",
    "orders",
    "orders.payments",
    "media",
    "reports",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "proj.api.middleware.api_answers",
    # Binds the request's id and user to every log line, and sends them along with every task.
    "proj.accounts.middleware.DiscreetRequestMiddleware",
]

ROOT_URLCONF = "proj.urls"
WSGI_APPLICATION = "proj.wsgi.application"
ASGI_APPLICATION = "proj.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "proj" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        **env.db_url_config(DATABASE_URL),
        # Connections are kept, by web and workers alike, and checked before their first query of each request or
        # task: a database that restarted costs one reconnect, not one error.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

# --- People -----------------------------------------------------------------------------------------------------------

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_REDIRECT_URL = "orders:catalogue"
LOGOUT_REDIRECT_URL = "orders:catalogue"
PASSWORD_RESET_TIMEOUT = int(timedelta(hours=1).total_seconds())  # a link in a mailbox opens the account

# No username is asked for: it would tell who else has one, and people forget it. Staff and demo users may use theirs.
ACCOUNT_LOGIN_METHODS = {"email", "username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
# A basket does not wait for a mail: whoever signs up is signed in and may order; the address can be confirmed later, and
# must be before a second factor. The price: sign-up says that an address has an account. "mandatory" does not.
ACCOUNT_EMAIL_VERIFICATION = env.str("EMAIL_VERIFICATION", default="optional")
ACCOUNT_CHANGE_EMAIL = True  # one address; a new one takes its place when it is confirmed
ACCOUNT_EMAIL_NOTIFICATIONS = True  # who did not change the password learns that somebody has
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_CONFIRMATION_AUTHENTICATED_REDIRECT_URL = "/accounts/"
ACCOUNT_REAUTHENTICATION_REQUIRED = (
    True  # an open browser is not enough to change the address or to make a token
)
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = dict(RATE_LIMITS)
ACCOUNT_ADAPTER = "proj.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "proj.accounts.forms.LoginForm",
    "signup": "proj.accounts.forms.SignupForm",
    "add_email": "proj.accounts.forms.AddEmailForm",
    "change_password": "proj.accounts.forms.ChangePasswordForm",
    "set_password": "proj.accounts.forms.SetPasswordForm",
    "reset_password": "proj.accounts.forms.ResetPasswordForm",
    "reset_password_from_key": "proj.accounts.forms.ResetPasswordKeyForm",
    "reauthenticate": "proj.accounts.forms.ReauthenticateForm",
}
MFA_ADAPTER = "proj.accounts.second_factor.SecondFactorAdapter"
MFA_FORMS = {
    "authenticate": "proj.accounts.forms.AuthenticateForm",
    "reauthenticate": "proj.accounts.forms.ReauthenticateCodeForm",
    "activate_totp": "proj.accounts.forms.ActivateForm",
    "authenticate_webauthn": "proj.accounts.forms.KeyForm",
    "reauthenticate_webauthn": "proj.accounts.forms.ReauthenticateKeyForm",
    "add_webauthn": "proj.accounts.forms.AddKeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG  # http://localhost: browsers allow no other name without TLS
MFA_TOTP_ISSUER = "Corner Shop"
MFA_TOTP_TOLERANCE = 1  # the clocks of phones are off by some seconds, and typing takes some (RFC 6238, 5.2)
# How many proxies of ours a request comes through: the address of the client is so many places from the end of
# X-Forwarded-For. With too few everybody shares one address and its limits; with too many it can be made up.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", default=1 if env.bool("HTTPS", default=False) else 0)

# --- Files ------------------------------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "proj" / "static"]
MEDIA_URL = "/uploads/"
MEDIA_ROOT = VAR_DIR / "uploads"


def _files(folder: str, **options: Any) -> dict[str, Any]:
    return {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": VAR_DIR / folder, **options},
    }


STORAGES = {
    "default": _files("uploads", base_url=MEDIA_URL),  # thumbnails: public under names nobody can guess
    "quarantine": _files("quarantine", base_url=None),  # what people uploaded: never served
    "reports": _files("reports", base_url=None),  # served by a view that checks who asks
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG  # development serves static files without collectstatic

# A whole upload is never held in memory: above 1 MB it goes to a temporary file as it arrives, and what goes beyond
# the size of the largest picture is dropped.
FILE_UPLOAD_HANDLERS = [
    "media.uploads.CutOffHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- Security ---------------------------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],  # data: is the admin's own icons
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
    # Swagger UI starts itself with an inline script. It shows nothing that people have written.
    "EXCLUDE_URL_PREFIXES": ["/api/docs"],
}
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
# Plain HTTP is for a developer's own machine; HTTPS=1 says that a proxy in front ends TLS.
HTTPS = env.bool("HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # probes speak plain HTTP

# --- Mail -------------------------------------------------------------------------------------------------------------

vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_FILE_PATH = VAR_DIR / "mail"
EMAIL_TIMEOUT = 10  # seconds: a mail server that hangs costs a retry, not a worker
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="shop@example.com")

# --- Orders and payments ----------------------------------------------------------------------------------------------

# From this amount on, in minor units, an order takes the critical queue, as an express order does.
ORDERS_URGENT_AMOUNT = env.int("ORDERS_URGENT_AMOUNT", default=500_00)
# An order that has not moved for so long has lost its message: the longest honest wait of a step is shorter.
ORDERS_STUCK_AFTER = timedelta(seconds=env.int("ORDERS_STUCK_AFTER", default=120))
STRIPE_API_KEY = env.str("STRIPE_API_KEY", default="sk_test_sandbox")
STRIPE_API_BASE = env.str("STRIPE_API_BASE", default="https://api.stripe.com")
# Two while one is being replaced: "new,old". None: every webhook is refused.
STRIPE_WEBHOOK_SECRETS = env.list("STRIPE_WEBHOOK_SECRET", default=[])

# --- Webhooks out -----------------------------------------------------------------------------------------------------

# Also call addresses that are not public, without TLS: for trying out on one's own machine. In production it would let
# anybody with an account make requests inside our network.
HOOKS_ALLOW_PRIVATE = env.bool("HOOKS_ALLOW_PRIVATE", default=False)

# --- Live pages -------------------------------------------------------------------------------------------------------

# How many clients each web process tells of news as it happens; each holds a thread (proj/live). None unless the server
# was started with threads for them, as `make up` does: pages poll instead.
LIVE_STREAMS = env.int("LIVE_STREAMS", default=0)
# And how many of them one person has at most, with all tabs and tokens: as many as a browser opens to a host over HTTP/1.1.
LIVE_STREAMS_EACH = env.int("LIVE_STREAMS_EACH", default=6)

# --- The API ----------------------------------------------------------------------------------------------------------

# Calls within any minute: of a person, with all tokens, to look and to change something; and of an address without either.
# A program that looks at a hundred orders every five seconds stays below; a loop that has gone wild does not.
API_RATES = {
    "read": env.int("API_RATE_READ", default=1500),
    "write": env.int("API_RATE_WRITE", default=600),
    "anonymous": env.int("API_RATE_ANONYMOUS", default=600),
}
NINJA_NUM_PROXIES = ALLAUTH_TRUSTED_PROXY_COUNT  # whose word about the client's address counts

# --- The cache ---------------------------------------------------------------------------------------------------------

# For what may be lost: how often somebody has tried to sign in. The broker's Redis, under keys of its own.
CACHES = {
    "default": {
        "BACKEND": "proj.accounts.cache.ForgivingRedisCache",
        "LOCATION": env.str("CACHE_URL", default=env.str("CELERY_BROKER_URL")),
        "KEY_PREFIX": env.str("CELERY_KEY_PREFIX", default="") + "cache",
    }
}

# --- Logs -------------------------------------------------------------------------------------------------------------

LOGGING = logging_config(
    as_json=env.str("LOG_FORMAT", default="console") == "json", level=env.str("LOG_LEVEL", default="INFO")
)
structlog.configure(
    processors=structlog_processors(),
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
DJANGO_STRUCTLOG_CELERY_ENABLED = True

# --- Celery: what is enqueued -----------------------------------------------------------------------------------------

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL")
CELERY_TASK_QUEUES = QUEUES
CELERY_TASK_CREATE_MISSING_QUEUES = False  # a misspelt queue is an error, not a queue that nobody consumes
CELERY_TASK_DEFAULT_QUEUE = DEFAULT
CELERY_TASK_ROUTES = [route_by_content, route_by_task]
CELERY_TASK_DEFAULT_PRIORITY = NORMAL
CELERY_TASK_INHERIT_PARENT_PRIORITY = True  # the next step of an urgent order is urgent
# JSON only: whoever can write to the broker must not be able to run code.
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = CELERY_EVENT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = CELERY_RESULT_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True

# --- Celery: the broker -----------------------------------------------------------------------------------------------

CELERY_BROKER_TRANSPORT_OPTIONS = {
    # What a worker has taken is not noted in Redis as well: the ledger knows what is owed, and rings again for what a worker
    # took with it. Two round trips less a job, and half of the time of a worker's main process: 1.9 times the jobs. So
    # there is no visibility time-out either, after which a long task would be delivered a second time.
    "ack_emulation": False,
    "queue_order_strategy": "priority",  # without it queues take turns and priorities mean little
    "priority_steps": [0, 3, 6, 9],
    "sep": ":",
    # A broker that does not answer: no call of a worker waits longer (a publish waits less: proj/celery.py).
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,  # a half-open connection is noticed in about 20 s, not 50
    "global_keyprefix": env.str("CELERY_KEY_PREFIX", default=""),
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True  # workers may start before the broker
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # and wait for it as long as it takes
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}

# --- Celery: the workers ----------------------------------------------------------------------------------------------

CELERY_TASK_ACKS_LATE = True  # what a worker holds when it is told to stop goes back to its queue
CELERY_TASK_REJECT_ON_WORKER_LOST = False  # would redeliver a task that kills its process without end;
CELERY_TASK_RETRY_ON_WORKER_LOST = False  # the ledger sets it free, and buries it when it is at fault
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # a worker takes what it can run, so that priorities hold
CELERY_WORKER_DISABLE_PREFETCH = True  # and on Redis not even one more while all its processes are busy
# A broker that is away is no reason to stop running jobs: a second delivery of theirs is refused at the claim.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# SIGTERM lets running tasks end, however long that takes. SIGQUIT (or SIGTERM with REMAP_SIGTERM=SIGQUIT, for an
# orchestrator that kills soon after) gives them so many seconds; what is cut off is delivered again.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_MAX_TASKS_PER_CHILD = 10_000  # a leak of a library never grows for weeks
# An event is a publish of its own, four of them a job: 45 % of what a worker's main process does, and 0.7 ms of CPU of
# a job's 3.6. Flower asks for them while it watches, and so does `celery -A proj control enable_events`.
CELERY_WORKER_SEND_TASK_EVENTS = CELERY_TASK_SEND_SENT_EVENT = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False  # logs are configured above, the same for web and workers
CELERY_TASK_TRACK_STARTED = True  # "started" is a state people may see
# Nets under tasks of libraries; every task of ours names its own limits.
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300

# --- Celery: results --------------------------------------------------------------------------------------------------

CELERY_RESULT_BACKEND = "proj.jobs.backend.LedgerBackend"
CELERY_RESULT_EXTENDED = True  # name, arguments and worker beside the outcome: what the admin searches
CELERY_RESULT_EXPIRES = timedelta(days=7)
CELERY_RESULT_BACKEND_ALWAYS_RETRY = True  # a database that restarts does not lose an outcome
CELERY_RESULT_BACKEND_MAX_RETRIES = 10  # the default is without end

# --- Celery: beat -----------------------------------------------------------------------------------------------------

CELERY_BEAT_SCHEDULER = "proj.jobs.scheduler:LedgerScheduler"
# Tasks of libraries that an admin may schedule; ours say so themselves (schedulable=True).
JOBS_SCHEDULABLE: list[str] = []
DJANGO_CELERY_BEAT_TZ_AWARE = True
