"""Every write of the market room. Its tables are global: call these outside of any scope and transaction."""

from apps.market.services.clocks import refresh_clock
from apps.market.services.listings import import_listings
from apps.market.services.quotes import refresh_quotes
from apps.market.services.schedule import request_due_imports, request_import

__all__ = ["import_listings", "refresh_clock", "refresh_quotes", "request_due_imports", "request_import"]
