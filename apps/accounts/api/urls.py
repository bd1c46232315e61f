"""URLs of the accounts API, under /api/v1/."""

from django.urls import path

from apps.accounts.api import views

urlpatterns = [
    path("accounts", views.AccountList.as_view(), name="accounts"),
    path("accounts/<uuid:account_id>", views.AccountDetail.as_view(), name="account"),
    path("transactions", views.TransactionList.as_view(), name="transactions"),
    path("transactions/<uuid:transaction_id>", views.TransactionDetail.as_view(), name="transaction"),
]
