"""The server's half of ASGI 3.0, inside the worker: HTTP and WebSocket 2.5, lifespan 2.0, on an asyncio event loop."""
