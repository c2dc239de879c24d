"""The WSGI entry point."""

import os

from django.core.wsgi import get_wsgi_application

from proj.live.stopping import end_streams_on_signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proj.settings")

application = get_wsgi_application()
end_streams_on_signals()
