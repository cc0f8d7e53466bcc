"""Asks a Socket.IO server as its Python client does: `socketio_tour.py URL websocket`, or `... polling websocket`.

Prints by what it went in the end, and what came back.
"""

import json
import sys
from queue import Queue

import socketio

url, *transports = sys.argv[1:]
client = socketio.Client(reconnection=False)
sums = Queue()
client.on("sum", sums.put)
client.connect(url, transports=transports, wait_timeout=20)
first = [client.call("add", [1, 2], timeout=20), sums.get(timeout=20)]
client.emit("fail")
large = client.call("add", list(range(100_000)), timeout=20), sums.get(timeout=20)
print(json.dumps({"transport": client.transport(), "first": first, "large": large}))
client.disconnect()
