"""The WSGI callable. Django's own handler serves the static files of the admin: no further package is needed."""

import os

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application


class Statics(StaticFilesHandler):
    """Serves static files although DEBUG is off, which is fine for a test."""

    def serve(self, request):
        from django.contrib.staticfiles.views import serve

        return serve(request, self.file_path(request.path), insecure=True)


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
application = Statics(get_wsgi_application())
