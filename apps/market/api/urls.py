"""The endpoints of the market room."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
