"""A running Shopify double: `with ShopifySandbox() as shopify: … shopify.url …`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from replenit_destination.sandbox.serve import ServerThread
from replenit_destination.sandbox.shopify.app import AdminApi
from replenit_destination.sandbox.shopify.sample import sample_shop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from replenit_destination.sandbox.shopify.shop import Shop

__all__ = ["ShopifySandbox"]


class ShopifySandbox:
    """Serves a shop on a loopback port, in a thread of this process.

    `shop` is the shop, to trade in while it is served; `api` is told what to refuse and keeps the
    calls it answered.

    Args:
        shop: The shop to serve; the generated sample shop by default.
        state: A file that keeps the shop between runs: read at the start where it exists, written
            at the end.
        clock: Seconds for the cost bucket and for tokens.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        shop: Shop | None = None,
        *,
        state: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        port: int = 0,
    ) -> None:
        self.shop = shop or sample_shop()
        self.state = state
        if state and state.exists():
            self.shop.restore(state)
        self.api = AdminApi(self.shop, clock=clock)
        self._server = ServerThread(self.api.routes(), port=port)

    @property
    def url(self) -> str:
        """The address to give as `shop`."""
        return self._server.url

    @property
    def access_token(self) -> str:
        """A token that may read everything."""
        return self.api.access_token

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop()
        self.api.bulk.close()
        if self.state:
            self.shop.save(self.state)
