"""Callables of every shape that an application may have, for the look that tells ASGI from WSGI."""

import functools


class Double:
    """ASGI 2."""

    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        pass


def double(scope):
    async def single(receive, send):
        pass

    return single


async def function(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"asgi"})


def plain(scope, receive, send):
    """No coroutine function, but it gives a coroutine."""
    return function(scope, receive, send)


class Instance:
    async def __call__(self, scope, receive, send):
        await function(scope, receive, send)


class Endpoint:
    """A class that is called and awaited, as Starlette's endpoints are."""

    def __init__(self, scope, receive, send):
        self.coroutine = function(scope, receive, send)

    def __await__(self):
        return self.coroutine.__await__()


def anything(*arguments):
    return function(*arguments) if len(arguments) == 3 else wsgi(*arguments)


def deceptive(scope, receive, *more):
    return function(scope, receive, *more)


def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [b"wsgi"]


class Wsgi:
    def __init__(self, environ, start_response):
        start_response("200 OK", [])

    def __iter__(self):
        yield b"wsgi"


def responder(function):
    """Makes a WSGI application of a function of the request, as Werkzeug's `@Request.application` does."""

    @functools.wraps(function)
    def application(*arguments):
        return function(arguments[-2])(*arguments[-2:])

    return application


@responder
def decorated(request):
    return wsgi


def logged(app):
    @functools.wraps(app)
    def application(*arguments):
        return app(*arguments)

    return application


logged_function = logged(function)
logged_wsgi = logged(wsgi)


def configured(setting, scope, receive, send):
    return function(scope, receive, send)


instance = Instance()
method = instance.__call__
partial = functools.partial(configured, "a setting")


def make():
    return instance


async def make_later():
    return instance


class Container:
    """It calls itself an application, and is called without arguments, as aiohttp's is."""

    def __call__(self):
        return self


container = Container()
