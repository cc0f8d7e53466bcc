from django.contrib import admin
from django.urls import path
from library import views

urlpatterns = [
    path("", views.index, name="index"),
    path("admin/", admin.site.urls),
    path("upload/", views.upload, name="upload"),
    path("download/", views.download, name="download"),
    path("stream/", views.stream, name="stream"),
    path("where/", views.where, name="where"),
    path("boom/", views.boom, name="boom"),
]
