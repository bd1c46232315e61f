"""URLs of the accounts API, under /api/v1/."""

from django.urls import path

from apps.accounts.api import grant_views, views

urlpatterns = [
    path("accounts", views.AccountListView.as_view(), name="accounts"),
    path("accounts/<uuid:account_id>", views.AccountView.as_view(), name="account"),
    path("holdings", views.HoldingListView.as_view(), name="holdings"),
    path("members/<uuid:member_id>/grants", grant_views.MemberGrantListView.as_view(), name="member-grants"),
    path("members/<uuid:member_id>/grants/<uuid:grant_id>", grant_views.MemberGrantView.as_view(), name="member-grant"),
    path("transactions", views.TransactionListView.as_view(), name="transactions"),
    path("transactions/<uuid:transaction_id>", views.TransactionView.as_view(), name="transaction"),
]
