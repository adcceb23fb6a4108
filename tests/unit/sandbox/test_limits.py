import pytest

from replenit_destination.sandbox import Clock, Limits
from replenit_destination.sandbox.replenit.limits import RateLimiter


def hammer(api, times):
    """Return the statuses of so many requests that do no work."""
    return [api.delete("orders", "/nope").status for _ in range(times)]


@pytest.mark.parametrize("window", ["fixed", "sliding"])
def test_the_101st_request_of_a_minute_is_refused(vendor, window):
    api = vendor(limits=Limits(), switches={"window": window})

    assert hammer(api, 100) == [404] * 100
    assert hammer(api, 2) == [429, 429]

    api.service.clock.advance(60)
    assert hammer(api, 1) == [404]


@pytest.mark.parametrize("window", ["fixed", "sliding"])
def test_the_5001st_request_of_an_hour_is_refused(vendor, window):
    api = vendor(limits=Limits(), switches={"window": window})
    for _ in range(50):
        assert hammer(api, 100) == [404] * 100
        api.service.clock.advance(60)

    reply = api.delete("orders", "/nope")

    assert (reply.status, reply.headers["retry-after"]) == (429, "600")
    api.service.clock.advance(600)
    assert hammer(api, 1) == [404]


def test_sliding_window_frees_one_place_at_a_time(vendor):
    api = vendor(limits=Limits(per_minute=2), switches={"window": "sliding"})
    hammer(api, 1)
    api.service.clock.advance(20)
    hammer(api, 1)
    api.service.clock.advance(20)

    refused = api.delete("orders", "/nope")
    assert (refused.status, refused.headers["retry-after"]) == (429, "20")

    api.service.clock.advance(20)
    assert hammer(api, 2) == [404, 429]


def test_waiting_as_long_as_told_is_always_enough():
    """Never two refusals by one window after a wait of Retry-After, whatever the moments."""
    for sliding in (False, True):
        limiter = RateLimiter(Limits(per_minute=3, per_hour=7))
        now = 1_000_000.37
        for step in range(300):
            now += (step * 7919 % 23) / 3
            taken = limiter.take("key", now, sliding=sliding, count_refused=False)
            wait = max(each.retry_after_seconds for each in taken)
            if wait:
                now += wait
                again = limiter.take("key", now, sliding=sliding, count_refused=False)
                # The hour may be full too: it says so with a wait of its own, at most once.
                later = max(each.retry_after_seconds for each in again)
                if later:
                    now += later
                    last = limiter.take("key", now, sliding=sliding, count_refused=False)
                    assert all(each.allowed for each in last)


def test_quota_belongs_to_the_key_and_sums_its_tenants(vendor):
    one, two = (f"5a11d0b0-0000-4000-8000-00000000000{each}" for each in (1, 2))
    api = vendor(tenants={"a": [one, two], "b": [one]}, limits=Limits(per_minute=2))
    api.call("DELETE", f"/orders/{one}/x")
    api.call("DELETE", f"/orders/{two}/x")

    assert api.call("DELETE", f"/orders/{two}/x").status == 429
    assert api.call("DELETE", f"/orders/{one}/x", key="b").status == 404


def test_failed_requests_count_and_unknown_keys_do_not(vendor):
    api = vendor(limits=Limits(per_minute=3))

    api.call("POST", "/customers/not-a-guid")
    api.call("GET", "/nowhere")
    api.call("POST", f"/customers/{api.tenant}", key="wrong")

    assert api.delete("orders", "/x").headers["x-ratelimit-remaining"] == "0"


def test_headers_count_down_to_the_end_of_the_minute(vendor):
    api = vendor(limits=Limits())
    api.service.clock.advance(15.5)

    headers = api.post("orders", api.order(1)).headers

    now = int(api.service.clock())
    assert headers["x-ratelimit-limit"] == "100"
    assert headers["x-ratelimit-remaining"] == "99"
    assert headers["x-ratelimit-reset"] == str(now - 15 + 60)


def test_limits_can_be_lifted_and_set_while_running(vendor):
    api = vendor(limits=Limits(per_minute=1))
    assert hammer(api, 2) == [404, 429]

    api.service.limits = Limits.unlimited()
    assert hammer(api, 200) == [404] * 200
    assert "x-ratelimit-limit" not in api.delete("orders", "/x").headers


def test_clock_can_be_set_frozen_and_scaled():
    real = [1000.0]
    clock = Clock(lambda: real[0], rate=60)
    real[0] += 1
    assert clock() == 1060

    clock.freeze()
    real[0] += 100
    assert (clock(), clock.frozen) == (1060, True)

    clock.rate = 1
    clock.set(5)
    clock.advance(2)
    real[0] += 3
    assert clock() == 10
