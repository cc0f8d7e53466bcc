import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from channels.sessions import SessionMiddlewareStack  # noqa: E402
from consumers import Chat, Threaded  # noqa: E402
from django.urls import path  # noqa: E402

sockets = URLRouter([path("chat/<str:room>/", Chat.as_asgi()), path("threaded/", Threaded.as_asgi())])

application = ProtocolTypeRouter(
    {"http": django, "websocket": AllowedHostsOriginValidator(SessionMiddlewareStack(sockets))}
)
