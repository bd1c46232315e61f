import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import RequestFactory
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.core.api.exceptions import problem_handler, to_domain_error
from apps.core.errors import ERRORS, DomainError, InternalError, ValidationFailed

pytestmark = pytest.mark.no_database


def test_every_code_has_a_title_a_status_and_an_explanation() -> None:
    for code, error in list(ERRORS.items()):
        assert error.code == code
        assert 400 <= error.status <= 599, code
        assert str(error.title), code
        assert len(error.explanation()) > 20, code


def test_a_code_belongs_to_one_error() -> None:
    with pytest.raises(TypeError, match="internal_error"):
        type("Another", (DomainError,), {"code": "internal_error"})
    assert ERRORS["internal_error"] is InternalError


def test_an_unknown_exception_is_nobodys_domain_error() -> None:
    assert to_domain_error(ZeroDivisionError()) is None


def test_what_broke_is_not_told() -> None:
    request = Request(RequestFactory().get("/api/v1/orders"))
    broken = RuntimeError("relation users_user, password hunter2, /srv/finops/apps/orders/services.py")
    response = problem_handler(broken, {"request": request, "view": APIView()})
    assert response is not None
    assert response.data == {
        "type": f"{settings.BASE_URL}/problems/internal_error",
        "title": "Internal error",
        "status": 500,
        "detail": "Internal error",
        "instance": "/api/v1/orders",
        "code": "internal_error",
        "request_id": "",
    }


def test_a_database_that_cannot_be_reached_is_a_reason_to_try_again() -> None:
    error = to_domain_error(OperationalError("connection refused"))
    assert error is not None
    assert (error.code, error.status, error.extra) == ("service_unavailable", 503, {"retry_after": 1})


def test_nested_validation_errors_name_each_field() -> None:
    from rest_framework import serializers

    class Item(serializers.Serializer):
        name = serializers.CharField()

    class Body(serializers.Serializer):
        items = Item(many=True)
        size = serializers.IntegerField(min_value=1)

    body = Body(data={"items": [{"name": "a"}, {}], "size": 0})
    with pytest.raises(serializers.ValidationError) as raised:
        body.is_valid(raise_exception=True)
    error = to_domain_error(raised.value)
    assert isinstance(error, ValidationFailed)
    assert error.extra["errors"] == [
        {"field": "items.1.name", "code": "required", "message": "This field is required."},
        {"field": "size", "code": "min_value", "message": "Ensure this value is greater than or equal to 1."},
    ]


def test_every_problem_type_resolves_to_its_page(client) -> None:
    for code, error in list(ERRORS.items()):
        response = client.get(reverse("problem", args=[code]))
        assert response.status_code == 200
        assert str(error.title) in response.content.decode().replace("&#x27;", "'")
    assert client.get("/problems/no_such_code").status_code == 404
