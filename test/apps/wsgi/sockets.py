"""WebSockets by simple-websocket, which takes the client's socket from the environ. What happens is noted in a file."""

import os
import threading
import time

from simple_websocket import ConnectionClosed, Server


def app(environ, start_response):
    return PAGES[environ["PATH_INFO"]](environ, start_response)


def note(text):
    with open(os.environ["NOTES"], "a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def echo(environ, start_response):
    """What comes goes back, until "bye"."""
    socket = Server.accept(environ, subprotocols=["chat"])
    try:
        while (message := socket.receive()) != "bye":
            socket.send(message)
        socket.close(3001, "so long")
    except ConnectionClosed as closed:
        note(f"closed {closed.reason} {closed.message}")
    raise StopIteration


def plain(environ, start_response):
    """An answer like any other."""
    start_response("418 I'm a teapot", [("Content-Type", "text/plain")])
    names = [name for name in environ if name.endswith(".socket")]
    return [f"{environ['REQUEST_METHOD']} {names} {environ.get('HTTP_SEC_WEBSOCKET_EXTENSIONS')}".encode()]


def pieces(environ, start_response):
    start_response("200 OK", [])
    yield b"one, "
    yield b"two"


def threads(environ, start_response):
    start_response("200 OK", [])
    return [f"{threading.active_count()} {len(os.listdir('/proc/self/fd'))}".encode()]


def raises(environ, start_response):
    raise ValueError("before the handshake")


def raises_later(environ, start_response):
    Server.accept(environ).send("open")
    raise ValueError("after the handshake")


def forgets(environ, start_response):
    """No close frame, and a response that nobody needs."""
    Server.accept(environ).send("open")
    start_response("200 OK", [])
    return [b"never seen"]


def writes_nonsense(environ, start_response):
    environ["gunicorn.socket"].sendall(b"this is no head\r\n\r\n")
    raise StopIteration


def refuses_itself(environ, start_response):
    """As a server of HTTP would, on the socket."""
    environ["gunicorn.socket"].sendall(
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nno\n"
    )
    raise StopIteration


def announces_too_much(environ, start_response):
    """The header of a frame with 128 MiB and a byte."""
    Server.accept(environ)
    environ["gunicorn.socket"].sendall(b"\x82\x7f" + (134_217_728 + 1).to_bytes(8, "big"))
    environ["gunicorn.socket"].recv(1)
    raise StopIteration


def closes_its_end(environ, start_response):
    environ["gunicorn.socket"].close()
    raise StopIteration


def floods(environ, start_response):
    """Sends until the client has left, and notes how much that was when it had to wait for longer than a moment."""
    socket = Server.accept(environ)
    sent, message = 0, os.urandom(10_000)
    done = threading.Event()
    threading.Thread(target=lambda: done.wait(2) or note(f"sent {sent}"), daemon=True).start()
    try:
        while True:
            socket.send(message)
            sent += len(message)
    except (OSError, ConnectionClosed) as error:
        note(f"left {type(error).__name__}")
    done.set()
    raise StopIteration


def deaf(environ, start_response):
    """Reads nothing until there is a file "listen", and then all."""
    socket = environ["gunicorn.socket"]
    socket.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    while not os.path.exists("listen"):
        time.sleep(0.02)
    size = 0
    while data := socket.recv(65_536):
        size += len(data)
    note(f"heard {size}")
    raise StopIteration


def waits(environ, start_response):
    """No answer to the handshake before the client leaves."""
    note("waiting")
    note(f"read {environ['gunicorn.socket'].recv(10)}")
    raise StopIteration


PAGES = {
    "/echo": echo,
    "/plain": plain,
    "/pieces": pieces,
    "/threads": threads,
    "/raises": raises,
    "/raises-later": raises_later,
    "/forgets": forgets,
    "/writes-nonsense": writes_nonsense,
    "/refuses-itself": refuses_itself,
    "/announces-too-much": announces_too_much,
    "/closes-its-end": closes_its_end,
    "/floods": floods,
    "/deaf": deaf,
    "/waits": waits,
}
