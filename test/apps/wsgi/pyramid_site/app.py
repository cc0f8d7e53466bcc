"""A small Pyramid site: routes, JSON renderer, signed session, upload, stream, static view, exception view."""

import hashlib
from pathlib import Path

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import FileResponse, Response
from pyramid.session import SignedCookieSessionFactory


def index(request):
    return Response("Hello, Pyramid!")


def greet(request):
    return {"hello": request.matchdict["name"], "url": request.url, "script": request.script_name}


def login(request):
    request.session["user"] = request.params["user"]
    request.session.flash("welcome")
    return HTTPFound(request.route_url("profile"))


def profile(request):
    return {"user": request.session.get("user"), "messages": request.session.pop_flash()}


def upload(request):
    field = request.POST["file"]
    data = field.file.read()
    return {"name": field.filename, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def json_body(request):
    return {"received": request.json_body}


def stream(request):
    return Response(app_iter=(f"line {number}\n".encode() for number in range(5)), content_type="text/plain")


def source(request):
    """Through wsgi.file_wrapper where the server has one."""
    return FileResponse(__file__, request=request, content_type="text/x-python")


def boom(request):
    raise LookupError("boom in a view")


def on_lookup_error(error, request):
    request.response.status_int = 503
    return {"caught": str(error)}


ROUTES = [
    ("index", "/", index, None),
    ("greet", "/greet/{name}", greet, "json"),
    ("login", "/login", login, None),
    ("profile", "/profile", profile, "json"),
    ("upload", "/upload", upload, "json"),
    ("json", "/json", json_body, "json"),
    ("stream", "/stream", stream, None),
    ("source", "/source", source, None),
    ("boom", "/boom", boom, None),
]


def make_app():
    config = Configurator(session_factory=SignedCookieSessionFactory("for tests only"))
    for name, path, view, renderer in ROUTES:
        config.add_route(name, path)
        config.add_view(view, route_name=name, renderer=renderer)
    config.add_exception_view(on_lookup_error, context=LookupError, renderer="json")
    config.add_static_view("static", str(Path(__file__).with_name("static")))
    return config.make_wsgi_app()


application = make_app()
