"""URLs of the market API, under /api/v1/."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from apps.market.api import views


class KeyConverter(StringConverter):
    """A canonical key, such as XNYS:BRK.B: no slash, and no NUL, which PostgreSQL does not take."""

    regex = r"[^/\x00]{1,64}"


register_converter(KeyConverter, "key")

urlpatterns = [
    path("instruments", views.InstrumentListView.as_view(), name="instruments"),
    path("instruments/<key:instrument_key>", views.InstrumentView.as_view(), name="instrument"),
    path("quotes/<key:instrument_key>", views.QuoteView.as_view(), name="quote"),
]
