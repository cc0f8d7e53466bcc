"""The smallest Django application, with the middleware that needs no database."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    SECRET_KEY="it signs nothing",
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
)


def hello(request):
    return HttpResponse("Hello, World!")


urlpatterns = [path("", hello)]
app = get_wsgi_application()
