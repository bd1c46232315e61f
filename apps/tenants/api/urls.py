"""Routes of the tenants room, under /api/v1/."""

from django.urls import path

from apps.tenants.api import (
    auth_views,
    explaining,
    factor_views,
    invitation_views,
    member_views,
    password_views,
    role_views,
    views,
)

urlpatterns = [
    path("auth/token", auth_views.TokenView.as_view()),
    path("auth/token/refresh", auth_views.TokenRefreshView.as_view()),
    path("auth/token/revoke", auth_views.TokenRevokeView.as_view()),
    path("auth/reauthenticate", auth_views.ReauthenticateView.as_view()),
    path("auth/sessions", auth_views.SessionListView.as_view()),
    path("auth/sessions/<uuid:session_id>", auth_views.SessionView.as_view()),
    path("auth/factors", factor_views.FactorListView.as_view()),
    path("auth/factors/totp", factor_views.TotpView.as_view()),
    path("auth/factors/totp/<uuid:factor_id>/confirm", factor_views.TotpConfirmView.as_view()),
    path("auth/factors/recovery-codes", factor_views.RecoveryCodesView.as_view()),
    path("auth/factors/<uuid:factor_id>", factor_views.FactorRemovalView.as_view()),
    path("auth/password", password_views.PasswordView.as_view()),
    path("auth/password/reset", password_views.PasswordResetView.as_view()),
    path("auth/password/reset/confirm", password_views.PasswordResetConfirmView.as_view()),
    path("me", views.MeView.as_view()),
    path("tenant", views.CurrentTenantView.as_view()),
    path("usage", views.UsageView.as_view()),
    path("members", member_views.MemberListView.as_view()),
    path("members/<uuid:member_id>", member_views.MemberView.as_view()),
    path("invitations", invitation_views.InvitationListView.as_view()),
    path("invitations/accept", invitation_views.InvitationAcceptView.as_view()),
    path("invitations/<uuid:invitation_id>", invitation_views.InvitationView.as_view()),
    path("invitations/<uuid:invitation_id>/resend", invitation_views.InvitationResendView.as_view()),
    path("permissions/explain", explaining.ExplainView.as_view()),
    path("permissions", role_views.PermissionListView.as_view()),
    path("roles", role_views.RoleListView.as_view()),
    path("roles/<uuid:role_id>", role_views.RoleView.as_view()),
    path("api-keys", views.ApiKeyListView.as_view()),
    path("api-keys/<uuid:api_key_id>", views.ApiKeyView.as_view()),
    path("api-keys/<uuid:api_key_id>/roll", views.ApiKeyRollView.as_view()),
]
