"""Fetches a bulk result to a file; what is there already is not fetched again.

The address is signed: no token goes to it, and it appears in no message. It can expire before the
file is whole; the operation then gives a new one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx

from .errors import ShopifyUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["UrlExpiredError", "download"]

logger = logging.getLogger(__name__)

ATTEMPTS = 8
TIMEOUT_SECONDS = 60.0
EXPIRED_STATUS = frozenset({400, 401, 403, 404, 410})


class UrlExpiredError(Exception):
    """The signed address no longer works."""


def download(
    url: str,
    path: Path,
    size: int | None,
    *,
    wait: Callable[[float], None],
    transport: httpx.BaseTransport | None = None,
) -> None:
    """Fetch a result to `path`, from where an earlier attempt stopped.

    Args:
        url: The signed address.
        path: Where to; a file that is there is the beginning of the same result.
        size: How many bytes it has; None is unknown.
        wait: Called with seconds to wait between two attempts.
        transport: How requests leave; the network by default.

    Raises:
        UrlExpiredError: Ask the operation for a new address.
        ShopifyUnavailableError: The download kept failing.
    """
    with httpx.Client(transport=transport, timeout=TIMEOUT_SECONDS) as http:
        for attempt in range(ATTEMPTS):
            have = path.stat().st_size if path.exists() else 0
            if size is not None and have == size:
                return
            if size is not None and have > size:
                path.unlink()
                have = 0
            try:
                if _fetch(http, url, path, have):
                    return
            except httpx.TransportError as error:
                logger.warning("Shopify: %s in a download, going on", type(error).__name__)
            wait(min(30.0, 2.0**attempt))
    message = f"A bulk result could not be downloaded in {ATTEMPTS} attempts."
    raise ShopifyUnavailableError(message)


def _fetch(http: httpx.Client, url: str, path: Path, have: int) -> bool:
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with http.stream("GET", url, headers=headers) as answer:
        if answer.status_code in EXPIRED_STATUS:
            raise UrlExpiredError
        if answer.status_code not in (200, 206):
            logger.warning("Shopify: HTTP %d in a download", answer.status_code)
            return False
        # Whole, although a part was asked for: then the file begins anew.
        with path.open("ab" if answer.status_code == 206 else "wb") as file:
            # As it arrives: what a broken connection had brought is not fetched again.
            for block in answer.iter_raw():
                file.write(block)
    return True
