"""A small CherryPy site, handed to the server as its tree of WSGI applications: two of them, one below /api."""

import hashlib
from pathlib import Path

import cherrypy

STATIC = {"tools.staticdir.on": True, "tools.staticdir.dir": str(Path(__file__).with_name("static"))}


class Site:
    @cherrypy.expose
    def index(self):
        return "Hello, CherryPy!"

    @cherrypy.expose
    def greet(self, name="world"):
        return f"Hello, {name}!"

    @cherrypy.expose
    def login(self, user):
        cherrypy.session["user"] = user
        raise cherrypy.HTTPRedirect("/profile")

    @cherrypy.expose
    def profile(self):
        return cherrypy.session.get("user", "nobody")

    @cherrypy.expose
    def upload(self, file):
        digest, size = hashlib.sha256(), 0
        for piece in iter(lambda: file.file.read(65536), b""):
            digest.update(piece)
            size += len(piece)
        return f"{file.filename} {size} {digest.hexdigest()}"

    @cherrypy.expose
    @cherrypy.config(**{"response.stream": True})
    def stream(self):
        def lines():
            for number in range(5):
                yield f"line {number}\n"

        return lines()

    @cherrypy.expose
    def boom(self):
        raise RuntimeError("boom in a handler")


class Api:
    @cherrypy.expose
    @cherrypy.tools.json_in()
    @cherrypy.tools.json_out()
    def echo(self):
        return {"received": cherrypy.request.json, "script": cherrypy.request.script_name}


cherrypy.config.update({"environment": "embedded", "log.screen": False})
cherrypy.tree.mount(Site(), "", {"/": {"tools.sessions.on": True}, "/static": STATIC})
cherrypy.tree.mount(Api(), "/api")

application = cherrypy.tree
