"""Views that lean on the server: an upload through a temporary file, a download, a stream, what the request says."""

import hashlib
from pathlib import Path

from django.http import FileResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .models import Book


def index(request):
    return render(request, "library/index.html", {"books": Book.objects.all()})


@csrf_exempt
@require_POST
def upload(request):
    file = request.FILES["file"]
    digest = hashlib.sha256()
    for piece in file.chunks():
        digest.update(piece)
    kept = Path(file.temporary_file_path()).stat().st_size
    return JsonResponse({"name": file.name, "size": file.size, "kept": kept, "sha256": digest.hexdigest()})


def download(request):
    """Through wsgi.file_wrapper where the server has one."""
    return FileResponse(open(__file__, "rb"), as_attachment=True, filename="views.py")


def stream(request):
    return StreamingHttpResponse((f"row {number}\n" for number in range(5)), content_type="text/plain")


def where(request):
    return JsonResponse({"url": request.build_absolute_uri(), "secure": request.is_secure(), "get": request.GET.dict()})


def boom(request):
    raise RuntimeError("boom in a view")
