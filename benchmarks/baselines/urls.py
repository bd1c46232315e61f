"""The platform's URLs, and the peers of some of its views, on the same rows."""

from django.urls import path

from benchmarks.baselines.listing import TransactionList
from benchmarks.baselines.orders import OrderCreate
from finops import urls

urlpatterns = [
    *urls.urlpatterns,
    path("peer/transactions", TransactionList.as_view()),
    path("peer/orders", OrderCreate.as_view()),
]
