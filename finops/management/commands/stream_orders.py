"""`manage.py stream_orders`: listens to what becomes of orders at their venues, until SIGTERM."""

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from apps.orders.streaming import Listener
from finops.boot import refuse_unsafe_start


class Command(BaseCommand):
    help = "Listen to what becomes of orders at their venues. Logs in as finops_worker."
    requires_system_checks = ()  # refuse_unsafe_start runs those that matter, and says what to do

    def handle(self, *_args: Any, **_options: Any) -> None:
        refuse_unsafe_start()
        asyncio.run(_listen())


async def _listen() -> None:
    listener, loop = Listener(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, listener.stop)
    await listener.run()
