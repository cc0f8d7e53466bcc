import json

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer


class Echo(AsyncWebsocketConsumer):
    """Says who is there and where it came from, then says everything again."""

    async def connect(self):
        await self.accept()
        session = self.scope["session"]
        name = await sync_to_async(session.get)("name")
        told = {"name": name, "client": self.scope["client"][0], "scheme": self.scope["scheme"]}
        await self.send(json.dumps({**told, "path": self.scope["path"]}))

    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data, bytes_data)
