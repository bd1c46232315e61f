"""URLs of the events API, under /api/v1/."""

from django.urls import path

from apps.outbox.api import views

urlpatterns = [path("events", views.EventListView.as_view(), name="events")]
