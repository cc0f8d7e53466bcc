"""A FastAPI service: validation, dependencies, uploads, downloads, background tasks, a chat, a lifespan with state."""

import asyncio
import hashlib
import sys
import tempfile
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import (
    BackgroundTasks,
    Depends,
    FastAPI,
    Header,
    HTTPException,
    Request,
    UploadFile,
    WebSocket,
    WebSocketDisconnect,
)
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

PIECE = bytes((index * 31 + (index >> 8)) % 256 for index in range(1 << 16))


def tell(word):
    """What a test waits for in the log."""
    print(f"told: {word}", file=sys.stderr, flush=True)


@asynccontextmanager
async def lifespan(app):
    tell("startup")
    yield {"greeting": "hello from the lifespan", "visits": []}
    tell("shutdown")


app = FastAPI(lifespan=lifespan)


class Book(BaseModel):
    title: str = Field(min_length=1)
    year: int = Field(ge=1450)
    tags: list[str] = []


@app.get("/books/{number}")
async def book(number: int, short: bool = False):
    return {"number": number, "short": short}


@app.post("/books", status_code=201)
async def add_book(book: Book) -> Book:
    return book


async def session():
    """A dependency that has something to put away after the response."""
    try:
        yield "session"
    finally:
        tell("session closed")


def user(token: Annotated[str | None, Header(alias="X-Token")] = None):
    if token != "secret":
        raise HTTPException(401, "who are you?", headers={"WWW-Authenticate": "Token"})
    return "ann"


@app.get("/private")
async def private(user: Annotated[str, Depends(user)], session: Annotated[str, Depends(session)]):
    return {"user": user, "session": session}


@app.get("/threaded")
def threaded():
    """Not a coroutine: it may block, in a thread of the framework's."""
    import threading

    return {"main": threading.current_thread() is threading.main_thread()}


@app.get("/state")
async def state(request: Request):
    request.state.visits.append(request.url.path)
    return {"greeting": request.state.greeting, "visits": len(request.state.visits)}


@app.get("/where")
async def where(request: Request):
    return {
        "url": str(request.url),
        "client": request.client.host,
        "version": request.scope["http_version"],
        "query": request.query_params.multi_items(),
    }


@app.post("/upload")
async def upload(file: UploadFile):
    digest = hashlib.sha256()
    while piece := await file.read(1 << 20):
        digest.update(piece)
    on_disk = getattr(file.file, "_rolled", None)
    return {"name": file.filename, "size": file.size, "on_disk": on_disk, "sha256": digest.hexdigest()}


@app.put("/raw")
async def raw(request: Request):
    digest, size = hashlib.sha256(), 0
    with tempfile.TemporaryFile() as kept:
        async for piece in request.stream():
            digest.update(piece)
            size += kept.write(piece)
    return {"size": size, "sha256": digest.hexdigest()}


@app.get("/download/{pieces}")
async def download(pieces: int):
    async def produce():
        for _ in range(pieces):
            yield PIECE

    return StreamingResponse(produce(), media_type="application/octet-stream")


@app.get("/rows/{count}")
def rows(count: int):
    """An ordinary generator: FastAPI runs it in threads."""
    return StreamingResponse((f"row {number}\n" for number in range(count)), media_type="text/plain")


waiting: dict[str, asyncio.Event] = {}


async def work(name):
    tell(f"task {name} began")
    await waiting[name].wait()
    tell(f"task {name} done")


@app.post("/tasks/{name}", status_code=202)
async def begin(name: str, tasks: BackgroundTasks):
    waiting[name] = asyncio.Event()
    tasks.add_task(work, name)
    return {"accepted": name}


@app.post("/tasks/{name}/release")
async def release(name: str):
    waiting.pop(name).set()
    return {"released": name}


@app.get("/boom")
async def boom():
    raise RuntimeError("boom in a path operation")


room: dict[str, WebSocket] = {}


@app.websocket("/chat/{name}")
async def chat(socket: WebSocket, name: str):
    await socket.accept()
    room[name] = socket
    await everyone(f"{name} came")
    try:
        while True:
            await everyone(f"{name}: {await socket.receive_text()}")
    except WebSocketDisconnect as gone:
        del room[name]
        await everyone(f"{name} left ({gone.code})")


async def everyone(text):
    for socket in list(room.values()):
        await socket.send_text(text)


@app.websocket("/guarded")
async def guarded(socket: WebSocket, user: Annotated[str, Depends(user)]):
    await socket.accept()
    await socket.send_json({"user": user})
    await socket.close(1000, "that was all")
