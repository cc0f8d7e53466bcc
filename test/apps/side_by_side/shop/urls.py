from django.urls import path

from shop import views

urlpatterns = [
    path("", views.index),
    path("name/<name>", views.name),
    path("events/<int:count>", views.events),
]
