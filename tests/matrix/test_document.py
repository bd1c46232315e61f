"""The OpenAPI document names its operations one way."""

import re

from tests.matrix.contract import Contract
from tests.matrix.routes import ROUTES

TAGS = {"Auth", "Tenant", "Providers", "Accounts", "Market", "Events", "Audit", "Webhooks", "Orders", "Risk"}


def test_every_operation_has_a_name_in_snake_case_and_the_tag_of_its_area(contract: Contract) -> None:
    operations = [operation for path in contract.document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []
    assert len(set(names)) == len(names)
    assert {tuple(operation.get("tags", ())) for operation in operations} == {(tag,) for tag in TAGS}


def test_views_are_named_alike() -> None:
    for route in ROUTES:
        if route.view.__module__.startswith("apps."):
            suffix = "ListView" if route.is_list else "View"
            assert route.view.__name__.endswith(suffix), route.view
