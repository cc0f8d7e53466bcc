import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.sessions import SessionMiddlewareStack
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
http = get_asgi_application()

from shop.consumers import Echo  # noqa: E402  (after the settings)

websocket = SessionMiddlewareStack(URLRouter([path("ws/echo", Echo.as_asgi())]))
application = ProtocolTypeRouter({"http": http, "websocket": websocket})
