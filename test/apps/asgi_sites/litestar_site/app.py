"""Litestar: typed handlers, events, a WebSocket listener, streams, a lifespan."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from litestar import Litestar, Request, get, post, websocket_listener
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import ServerSentEvent, Stream


@dataclass
class Book:
    title: str
    year: int


@get("/books/{number:int}")
async def book(number: int, short: bool = False) -> dict[str, int | bool]:
    return {"number": number, "short": short}


@post("/books")
async def add_book(data: Book) -> Book:
    return data


@post("/upload")
async def upload(
    data: Annotated[UploadFile, Body(media_type=RequestEncodingType.MULTI_PART)],
) -> dict[str, str | int]:
    return {"name": data.filename, "size": len(await data.read())}


@get("/stream")
async def stream() -> Stream:
    async def lines() -> AsyncGenerator[bytes, None]:
        for number in range(1000):
            yield b"line %d\n" % number

    return Stream(lines, media_type="text/plain")


@get("/events")
async def events() -> ServerSentEvent:
    async def three() -> AsyncGenerator[str, None]:
        for word in ("one", "two", "three"):
            yield word

    return ServerSentEvent(three())


@get("/where")
async def where(request: Request) -> dict[str, str]:
    return {"url": str(request.url), "greeting": request.app.state.greeting}


@websocket_listener("/shout")
async def shout(data: dict[str, str]) -> dict[str, str]:
    return {key: value.upper() for key, value in data.items()}


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncGenerator[None, None]:
    app.state.greeting = "hello from the lifespan"
    yield
    print("told: shutdown", file=sys.stderr, flush=True)


app = Litestar([book, add_book, upload, stream, events, where, shout], lifespan=[lifespan])
