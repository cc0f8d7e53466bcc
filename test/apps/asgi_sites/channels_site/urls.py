"""Views of both kinds: those that await, and those that Django runs in a thread."""

import asyncio
import hashlib
import sys
import threading

from django.http import FileResponse, JsonResponse, StreamingHttpResponse
from django.urls import path


def sync_view(request):
    return JsonResponse(
        {
            "main": threading.current_thread() is threading.main_thread(),
            "url": request.build_absolute_uri(),
            "remote": request.META["REMOTE_ADDR"],
        }
    )


async def async_view(request):
    await asyncio.sleep(0)
    return JsonResponse({"loop": asyncio.get_running_loop() is not None, "get": request.GET.dict()})


async def stream(request):
    async def rows():
        for number in range(1000):
            yield f"row {number}\n"

    return StreamingHttpResponse(rows(), content_type="text/plain")


async def forever(request):
    async def ticks():
        try:
            while True:
                yield "tick\n"
                await asyncio.sleep(0.02)
        except (asyncio.CancelledError, GeneratorExit):  # the latter when it was sending, and send() raised
            print("told: ticks cancelled", file=sys.stderr, flush=True)
            raise

    return StreamingHttpResponse(ticks(), content_type="text/plain")


def upload(request):
    digest = hashlib.sha256()
    for chunk in request.FILES["file"].chunks():
        digest.update(chunk)
    return JsonResponse({"name": request.FILES["file"].name, "sha256": digest.hexdigest()})


def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JsonResponse({"visits": request.session["visits"]})


def source(request):
    return FileResponse(open(__file__, "rb"), as_attachment=True)


def boom(request):
    raise RuntimeError("boom in a view")


urlpatterns = [
    path("sync/", sync_view),
    path("async/", async_view),
    path("stream/", stream),
    path("forever/", forever),
    path("upload/", upload),
    path("visits/", visits),
    path("source/", source),
    path("boom/", boom),
]
