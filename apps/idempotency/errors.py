"""What can be wrong with an Idempotency-Key."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError


class IdempotencyKeyRequired(DomainError):
    """This endpoint asks for an `Idempotency-Key`, so that sending the request again is harmless."""

    code = "idempotency_key_required"
    status = 400
    title = _("Idempotency-Key is required")


class IdempotencyKeyInvalid(DomainError):
    """An `Idempotency-Key` has 1 to 255 printable ASCII characters."""

    code = "idempotency_key_invalid"
    status = 400
    title = _("Idempotency-Key is not valid")


class IdempotencyKeyReused(DomainError):
    """The `Idempotency-Key` was used before for another request; each request needs a key of its own."""

    code = "idempotency_key_reused"
    status = 422
    title = _("Idempotency-Key belongs to another request")


class IdempotencyInFlight(DomainError):
    """The first request with this `Idempotency-Key` is still running; send the same again in a moment."""

    code = "idempotency_in_flight"
    status = 409
    title = _("The same request is still running")


class IdempotencyAnswerExpired(DomainError):
    """The request was carried out, but its answer held a secret, which is kept for 24 hours only.

    Nothing is done again. Read the resource, or replace the secret with a new request and a new key.
    """

    code = "idempotency_answer_expired"
    status = 409
    title = _("The answer is no longer kept")
