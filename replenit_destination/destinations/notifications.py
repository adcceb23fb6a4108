"""Tells others how a run ended: a ping, a webhook, Slack, a function.

What they get holds counts, reasons and names of entities and fields, and no personal data. Nobody
who does not answer ever fails a run: that is a warning, and the address, a secret, is not in it.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from replenit_destination.destinations.run_summary import of_error, of_report, slack_text
from replenit_destination.engine.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from replenit_destination.destinations.alarm_settings import AlarmConfiguration
    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.run import Report

__all__ = ["Patience", "notified", "notify"]

_log = logging.getLogger(__name__)

_GOOD = 300
_WORTH_A_RETRY = frozenset({408, 425, 429})
_OWN_FAULT = 500


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try: seconds for one answer, and the pauses between the attempts."""

    timeout_seconds: float = 10.0
    pauses: tuple[float, ...] = (1.0, 2.0)


_HURRIED = Patience(timeout_seconds=1.5, pauses=())
"""After a signal: who runs us may send KILL a few seconds later."""


def notified(config: AlarmConfiguration, tenant: str, work: Callable[[], Report]) -> Report:
    """Deliver, tell everyone who is configured how it went, and return the report.

    Args:
        config: Whom to tell.
        tenant: Whose run it is.
        work: Delivers.

    Raises:
        Exception: What the work raised, after it was told.
    """
    try:
        report = work()
    except Exception as error:
        notify(config, of_error(error, tenant))
        raise
    told = of_report(report.to_dict())
    notify(config, told, patience=_HURRIED if report.halted == "stopped" else Patience())
    return report


def notify(
    config: AlarmConfiguration,
    summary: dict[str, Any],
    *,
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> None:
    """Tell everyone who is configured; who cannot be told is warned of.

    Addresses are told at the same time, then the function is called.

    Args:
        config: Whom to tell.
        summary: As `run_summary` makes it.
        patience: How long to try.
        clock: Pauses.
    """
    posts = _posts(config, summary)
    if posts:
        send = _Sender(patience or Patience(), clock or SystemClock())
        with ThreadPoolExecutor(len(posts)) as threads:
            list(threads.map(send, posts))
    if config.on_run:
        _call(config.on_run, summary)


@dataclass(frozen=True, slots=True)
class _Post:
    """One message: the setting that wants it, where it goes, and what it says."""

    setting: str
    address: str
    body: bytes
    kind: str


def _posts(config: AlarmConfiguration, summary: dict[str, Any]) -> list[_Post]:
    posts = []
    if config.ping_url:
        address = _failing(config.ping_url) if summary["failed"] else config.ping_url
        text = summary["text"].encode()
        posts.append(_Post("ping_url", address, text, "text/plain; charset=utf-8"))
    if config.webhook_url:
        body = json.dumps(summary).encode()
        posts.append(_Post("webhook_url", config.webhook_url, body, "application/json"))
    if config.slack_url and (config.slack_when == "always" or summary["trouble"]):
        body = json.dumps({"text": slack_text(summary)}).encode()
        posts.append(_Post("slack_url", config.slack_url, body, "application/json"))
    return posts


def _failing(address: str) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))


class _Sender:
    """Posts one message, again when that may help.

    Built on httpx's transport rather than on its client, which logs every address and follows
    redirects when asked to: these addresses are secrets.
    """

    def __init__(self, patience: Patience, clock: Clock) -> None:
        self._patience = patience
        self._clock = clock

    def __call__(self, post: _Post) -> None:
        for pause in (*self._patience.pauses, None):
            trouble, again = self._attempt(post)
            if not trouble:
                return
            if pause is None or not again:
                _log.warning("%s could not be told: %s", post.setting, trouble)
                return
            self._clock.wait(pause)

    def _attempt(self, post: _Post) -> tuple[str, bool]:
        """Return what went wrong, empty when nothing did, and whether another attempt may help."""
        import httpx

        timeout = httpx.Timeout(self._patience.timeout_seconds).as_dict()
        request = httpx.Request(
            "POST",
            post.address,
            content=post.body,
            headers={"content-type": post.kind, "user-agent": "dlt-replenit"},
            extensions={"timeout": timeout},
        )
        try:
            with httpx.HTTPTransport() as transport:
                response = transport.handle_request(request)
                response.close()
        except httpx.HTTPError as error:
            return type(error).__name__, True
        status = response.status_code
        if status < _GOOD:
            return "", False
        return f"it answered {status}", status >= _OWN_FAULT or status in _WORTH_A_RETRY


def _call(function: Callable[[dict[str, Any]], object] | str, summary: dict[str, Any]) -> None:
    try:
        found = _found(function) if isinstance(function, str) else function
        found(summary)
    except Exception as error:
        # The run is over and was good. The kind alone: the words are not ours, and hold anything.
        _log.warning("on_run failed: %s", type(error).__name__)


def _found(place: str) -> Callable[[dict[str, Any]], object]:
    module, _, name = place.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # the `dlt` command runs without the project's folder
    function: Callable[[dict[str, Any]], object] = getattr(importlib.import_module(module), name)
    return function
