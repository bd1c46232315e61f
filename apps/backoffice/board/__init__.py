"""The dashboard's content as tiles, charts and panels; `templates/backoffice/board.html` draws them."""

from typing import Any

from apps.backoffice.board import platform, trading, webhooks
from apps.backoffice.selectors import Dashboard


def present(board: Dashboard) -> dict[str, Any]:
    """Return what the template draws."""
    return {
        "at": board.now,
        "tiles": [
            *trading.tiles(board.trading),
            *webhooks.tiles(board.webhooks),
            *platform.tiles(board.platform),
        ],
        "charts": [
            trading.chart_of(board.trading),
            webhooks.chart_of(board.webhooks),
            *platform.charts(board.platform),
        ],
        "main": [
            trading.latest_orders(board.trading, board.tenants),
            trading.accounts(board.trading, board.tenants),
            platform.latest_runs(board.platform, board.tenants, now=board.now),
            platform.connections(board.platform, board.tenants),
        ],
        "side": [
            platform.attention(board.platform, trading.attention(board.trading), webhooks.attention(board.webhooks)),
            trading.denials(board.trading),
            webhooks.endpoints(board.webhooks, board.tenants),
            platform.queues(board.platform.pulse),
        ],
    }
