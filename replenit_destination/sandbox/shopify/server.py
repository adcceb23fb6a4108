"""A running Shopify double: `with ShopifySandbox() as shopify: … shopify.url …`."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import uvicorn

from replenit_destination.sandbox.shopify.app import AdminApi
from replenit_destination.sandbox.shopify.sample import sample_shop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from replenit_destination.sandbox.shopify.shop import Shop

__all__ = ["ShopifySandbox"]

START_SECONDS = 10.0


class ShopifySandbox:
    """Serves a shop on a loopback port, in a thread of this process.

    Args:
        shop: The shop to serve; the generated sample shop by default.
        state: A file that keeps the shop between runs: read at the start if it exists, written at the end.
        clock: Seconds for the cost bucket and for tokens.
    """

    def __init__(
        self,
        shop: Shop | None = None,
        *,
        state: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.shop = shop or sample_shop()
        self.state = state
        if state and state.exists():
            self.shop.restore(state)
        self.api = AdminApi(self.shop, clock=clock)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._server = uvicorn.Server(
            uvicorn.Config(self.api.routes(), log_level="warning", access_log=False, lifespan="off")
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    @property
    def url(self) -> str:
        """The address to give as `shop`."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def access_token(self) -> str:
        """A token that may read everything."""
        return self.api.access_token

    def __enter__(self) -> ShopifySandbox:
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                message = "the Shopify sandbox did not start"
                raise RuntimeError(message)
            self._thread.join(0.01)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        if self.state:
            self.shop.save(self.state)
