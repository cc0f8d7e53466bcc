import asyncio
import json

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse


def told(request):
    """What Django makes of the client, and which interface it came by."""
    return {
        "by": type(request).__name__,
        "secure": request.is_secure(),
        "url": request.build_absolute_uri(),
        "client": request.META["REMOTE_ADDR"],
        "name": request.session.get("name"),
    }


def index(request):
    return JsonResponse(told(request))


def name(request, name):
    request.session["name"] = name
    return HttpResponse(f"Hello, {name}")


async def events(request, count):
    name = await request.session.aget("name")

    async def stream():
        for number in range(count):
            yield f"data: {json.dumps([number, name, request.build_absolute_uri()])}\n\n"
            await asyncio.sleep(0.01)

    return StreamingHttpResponse(stream(), content_type="text/event-stream")
