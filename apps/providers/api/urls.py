"""URLs of the providers API."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
