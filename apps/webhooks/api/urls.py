"""The endpoints of the webhooks room."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
