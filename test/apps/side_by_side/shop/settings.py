"""One project, served by WSGI and by ASGI: both see the same sessions."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "for tests only"
ALLOWED_HOSTS = ["127.0.0.1", "shop.example"]
INSTALLED_APPS = ["django.contrib.sessions", "channels"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]
ROOT_URLCONF = "shop.urls"
SESSION_ENGINE = "django.contrib.sessions.backends.file"
SESSION_FILE_PATH = os.environ["SHOP_SESSIONS"]
USE_TZ = True
