"""Lists are narrowed to a span of time: by the key, or one tenant's audit log by the time of its entries."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.core import clock
from apps.core.admin.times import time_of
from tests.backoffice.test_pages import get
from tests.backoffice.world import World
from tests.factories.audit import make_entry

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
DELIVERIES, LOG = "/admin/webhooks/delivery/", "/admin/audit/auditentry/"


@pytest.mark.no_database
@pytest.mark.parametrize(
    ("name", "value", "at"),
    [
        ("since", "", None),
        ("since", "1h", datetime(2026, 3, 2, 11, 30, tzinfo=UTC)),
        ("since", "2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("since", "2026-03-01T18:15", datetime(2026, 3, 1, 18, 15, tzinfo=UTC)),
        ("since", "2026-03-01T18:15:00+02:00", datetime(2026, 3, 1, 16, 15, tzinfo=UTC)),
        ("until", "2026-03-01", datetime(2026, 3, 2, tzinfo=UTC)),
        ("until", "2026-03-01T18:15", datetime(2026, 3, 1, 18, 15, tzinfo=UTC)),
    ],
)
def test_what_a_parameter_names(name: str, value: str, at: datetime | None):
    assert time_of(name, value, now=NOW) == at


@pytest.mark.no_database
@pytest.mark.parametrize(
    ("name", "value"), [("since", "nonsense"), ("until", "1h"), ("until", "9999-12-31"), ("since", "2026-02-30")]
)
def test_what_names_no_time(name: str, value: str):
    with pytest.raises(ValueError):
        time_of(name, value, now=NOW)


def rows(client: Any, url: str) -> list[Any]:
    return [row.pk for row in client.get(url).context["cl"].result_list]


def test_a_list_shows_the_rows_of_a_span_and_says_which(staff_client: Any, world: World):
    delivery = world.acme.trade.delivery
    whose = f"{DELIVERIES}?tenant={world.acme.tenant.pk}&status__exact={delivery.status}"
    made = clock.now().astimezone(UTC).replace(second=0, microsecond=0)
    around = f"&since={made - timedelta(hours=1):%Y-%m-%dT%H:%M}&until={made + timedelta(hours=1):%Y-%m-%dT%H:%M}"
    assert rows(staff_client, whose + "&since=1h") == rows(staff_client, whose + around) == [delivery.pk]
    assert rows(staff_client, f"{whose}&until={made - timedelta(days=1):%Y-%m-%d}") == []
    text = get(staff_client, whose + "&since=1h")
    assert "Time: <b>Last hour</b>" in text
    assert f'<input type="hidden" name="status__exact" value="{delivery.status}">' in text


def test_one_tenants_log_is_by_the_time_of_its_entries(staff_client: Any, world: World):
    tenant = world.acme.tenant.pk
    entry = make_entry(tenant, now=datetime(2026, 1, 31, 23, 59, tzinfo=UTC))
    assert rows(staff_client, f"{LOG}?tenant={tenant}&since=2026-01-31&until=2026-01-31") == [entry.pk]
    assert rows(staff_client, f"{LOG}?since=2026-01-31&until=2026-01-31") == []


def test_a_time_that_is_none_leads_back_to_the_list(staff_client: Any, world: World):
    answer = staff_client.get(f"{LOG}?since=nonsense")
    assert (answer.status_code, answer["Location"]) == (302, f"{LOG}?e=1")
