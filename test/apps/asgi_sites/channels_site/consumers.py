"""A chat in groups, and a consumer that lives in a thread."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer, WebsocketConsumer


class Chat(AsyncJsonWebsocketConsumer):
    async def connect(self):
        self.room = self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()
        await self.send_json({"room": self.room, "visits": self.scope["session"].get("visits")})

    async def receive_json(self, content):
        await self.channel_layer.group_send(self.room, {"type": "said", "text": content["text"]})

    async def said(self, event):
        await self.send_json({"said": event["text"]})

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.room, self.channel_name)
        await self.channel_layer.group_send(self.room, {"type": "said", "text": f"somebody left ({code})"})


class Threaded(WebsocketConsumer):
    def connect(self):
        if self.scope["query_string"] == b"no":
            self.close()
        else:
            self.accept()

    def receive(self, text_data=None, bytes_data=None):
        if text_data == "stop":
            self.close(4002, "as you wish")
        elif bytes_data is None:
            self.send(text_data=text_data[::-1])
        else:
            self.send(bytes_data=bytes_data[::-1])
