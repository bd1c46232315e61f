"""The WSGI application, for granian."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "finops.settings.production")
application = get_wsgi_application()

from finops.boot import refuse_unsafe_start  # noqa: E402  (needs the apps that the line above loads)

refuse_unsafe_start()
