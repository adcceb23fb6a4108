"""What answers say about the quota: believed where it makes sense, ignored where it does not."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from replenit_destination.targets.replenit.pacing import quota_hints, wait_seconds

NOW = 1_760_000_000.0
SERVED = formatdate(NOW - 600, usegmt=True)  # the server's clock is ten minutes behind ours


def limits(limit="100", remaining="40", reset=None, **more):
    named = {"limit": limit, "remaining": remaining, "reset": reset}
    headers = {f"x-ratelimit-{name}": value for name, value in named.items() if value is not None}
    return headers | {name.replace("_", "-"): value for name, value in more.items()}


@pytest.mark.parametrize(
    ("headers", "hints"),
    [
        ({}, (None, None)),
        (limits(), (40, None)),
        (limits(reset=f"{NOW + 30:.0f}"), (40, 30)),
        (limits(reset=f"{NOW - 570:.0f}", date=SERVED), (40, 30)),
        (limits(reset=f"{NOW - 1:.0f}"), (40, None)),  # is over
        (limits(reset=f"{NOW + 90_000:.0f}"), (40, None)),  # longer than any window
        (limits(reset="30"), (40, None)),  # not a moment
        (limits(reset="soon"), (40, None)),
        (limits(remaining="-3"), (None, None)),
        (limits(remaining="101"), (None, None)),  # more than the limit
        (limits(remaining="1e300", limit=None), (10**300 // 1, None)),
        (limits(remaining="3.5"), (None, None)),
        (limits(remaining="many"), (None, None)),
        (limits(remaining="nan"), (None, None)),
        (limits(remaining="inf"), (None, None)),
        (limits(remaining=""), (None, None)),
    ],
)
def test_hints_of_rate_headers(headers, hints):
    remaining, reset = quota_hints(headers, NOW)
    assert (remaining, reset) == (pytest.approx(hints[0]), hints[1])


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "30"}, None, 30),
        ({"retry-after": "0"}, None, 0),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, None, 30),
        ({"retry-after": formatdate(NOW - 570, usegmt=True), "date": SERVED}, None, 30),
        ({"retry-after": formatdate(NOW + 30).replace("GMT", "-0000")}, None, 30),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, None, 0),
        ({"retry-after": "Fri, 99 Foo 2025 25:61:00 GMT"}, None, 60),
        ({"retry-after": "99999999999"}, None, 3600),
        ({"retry-after": "-5"}, {"data": {"retryAfter": "-5"}}, 60),
        ({}, {"data": {"retryAfter": 45}}, 45),  # the error with `data`
        ({"retry-after": "20"}, {"errors": ["Too many requests."]}, 20),  # the other shape
        ({}, {"errors": ["Too many requests."]}, 60),
        ({}, {"data": {"RetryAfter": True}}, 60),
        ({}, {"data": [45]}, 60),
        (limits(remaining="0", reset=f"{NOW + 50:.0f}", retry_after="20"), None, 50),
        (limits(remaining="7", reset=f"{NOW + 50:.0f}", retry_after="20"), None, 20),
    ],
)
def test_longest_of_the_sane_waits_counts(headers, body, seconds):
    assert wait_seconds(headers, body, NOW) == pytest.approx(seconds)
