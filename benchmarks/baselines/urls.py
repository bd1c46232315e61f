"""The platform's URLs, and the peer's view of the same rows."""

from django.urls import path

from benchmarks.baselines.listing import TransactionList
from finops import urls

urlpatterns = [*urls.urlpatterns, path("peer/transactions", TransactionList.as_view())]
