"""Flask with both of its extensions for WebSockets."""

from flask import Flask, request
from flask_sock import Sock
from flask_socketio import SocketIO, emit

app = Flask(__name__)
# simple-websocket waits with a selector for what the client sends, where it sends pings of its own.
app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 25, "subprotocols": ["shout"]}
sock = Sock(app)
socketio = SocketIO(app, async_mode="threading")


@app.get("/")
def index():
    return "index"


@sock.route("/upper")
def upper(ws):
    while True:
        ws.send(ws.receive().upper())


@sock.route("/boom")
def boom(ws):
    raise RuntimeError("boom in a socket")


@sock.route("/session")
def session_of(ws):
    """What a view knows of its request is there."""
    ws.send(f"{request.args['a']} {request.cookies.get('c')} {request.headers['X-Y']}")


@socketio.on("add")
def add(numbers):
    emit("sum", sum(numbers))
    return "acknowledged"


@socketio.on("fail")
def fail():
    raise RuntimeError("boom in an event")
