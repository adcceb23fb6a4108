import json

import pytest

from replenit_destination.sandbox import Dropped, Fault, FaultKind, Poison, storm


def drop(api, *faults):
    """Post one order under the faults and return how the connection ended."""
    api.service.faults.add(*faults)
    with pytest.raises(Dropped) as caught:
        api.post("orders", api.order(1))
    return caught.value


@pytest.mark.parametrize("status", [401, 403, 404, 413, 500, 502, 503, 504])
def test_status_fault_answers_with_the_envelope_and_stores_nothing(vendor, status):
    api = vendor()
    api.service.faults.add(Fault("status", status=status))

    reply = api.post("orders", api.order(1))

    assert (reply.status, reply.json["success"], reply.json["data"]) == (status, False, {})
    assert api.stored("orders") == {}
    assert api.service.journal[-1].outcome == "fault:status"


def test_status_fault_may_strike_after_the_work_is_done(vendor):
    api = vendor()
    api.service.faults.add(Fault("status", status=504, commit=True))

    assert api.post("orders", api.order(1)).status == 504
    assert list(api.stored("orders")) == ["o1"]
    assert api.service.journal[-1].committed


def test_status_fault_carries_retry_after(vendor):
    api = vendor()
    api.service.faults.add(Fault("status", status=503, retry_after=7, times=1))
    api.service.faults.add(Fault("status", status=429, retry_after=7))

    assert api.post("orders", api.order(1)).headers["retry-after"] == "7"
    assert api.post("orders", api.order(1)).json["data"] == {"retryAfter": 7}


@pytest.mark.parametrize(
    ("fault", "committed"),
    [
        (Fault("reset"), False),
        (Fault("reset", commit=True), True),
        (Fault("close"), True),
        (Fault("close", commit=False), False),
        (Fault("timeout"), False),
        (Fault("timeout", commit=True), True),
        (Fault("truncate"), True),
    ],
)
def test_lost_connection_tells_whether_the_work_was_done(vendor, fault, committed):
    api = vendor()

    lost = drop(api, fault)

    assert (lost.kind, lost.committed) == (fault.kind, committed)
    assert list(api.stored("orders")) == (["o1"] if committed else [])
    entry = api.service.journal[-1]
    assert (entry.status, entry.committed) == (0, committed)


def test_truncated_answer_is_no_json(vendor):
    lost = drop(vendor(), Fault("truncate"))

    assert lost.partial.startswith(b'{"success":true')
    with pytest.raises(json.JSONDecodeError):
        json.loads(lost.partial)


def test_web_page_comes_with_status_200(vendor):
    api = vendor()
    api.service.faults.add(Fault("not_json"))

    reply = api.post("orders", api.order(1))

    assert (reply.status, reply.text[:6]) == (200, "<html>")
    assert list(api.stored("orders")) == ["o1"]


def test_success_false_comes_with_status_200_and_stores_nothing(vendor):
    api = vendor()
    api.service.faults.add(Fault("success_false"))

    reply = api.post("orders", api.order(1))

    assert (reply.status, reply.json["success"]) == (200, False)
    assert api.stored("orders") == {}


def test_short_count_stores_everything_and_reports_less(vendor):
    api = vendor()
    api.service.faults.add(Fault("short_count", short_by=2))

    reply = api.post("orders", *(api.order(number) for number in range(5)))

    assert (reply.count, len(api.stored("orders"))) == (3, 5)


def test_delay_passes_on_the_fake_clock(vendor):
    api = vendor()
    api.service.faults.add(Fault("delay", seconds=12))
    before = api.service.clock()

    assert api.post("orders", api.order(1)).status == 200
    assert api.service.clock() == before + 12


def test_rules_choose_by_method_path_place_and_number(vendor):
    api = vendor()
    orders = f"/orders/{api.tenant}"
    api.service.faults.add(Fault("status", method="post", path=orders, nth=2))
    api.service.faults.add(Fault("status", method="DELETE", every=2, times=1, status=503))

    posted = [api.post("orders", api.order(1)).status for _ in range(3)]
    api.post("customers", api.customer(1))
    deleted = [api.delete("products", "/x").status for _ in range(4)]

    assert posted == [200, 500, 200]
    assert deleted == [404, 503, 404, 404]


def test_same_seed_meets_the_same_faults(vendor):
    def run(seed):
        api = vendor(seed=seed)
        api.service.faults.add(Fault("status", probability=0.3))
        return [api.delete("orders", "/x").status for _ in range(200)]

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert 30 < run(1).count(500) < 90


def test_storm_hits_as_often_as_told_and_with_every_kind(vendor):
    api = vendor(seed=7)
    api.service.faults.add(*storm(0.3))
    for _ in range(3000):
        try:
            api.delete("orders", "/x")
        except Dropped:
            continue

    outcomes = [entry.outcome for entry in api.service.journal]
    hit = [outcome for outcome in outcomes if outcome.startswith("fault:")]
    assert 0.27 < len(hit) / len(outcomes) < 0.33
    assert len(hit) == api.service.faults.fired()
    assert set(hit) == {
        f"fault:{kind}" for kind in FaultKind if kind not in {"delay", "timeout", "short_count"}
    }


@pytest.mark.parametrize("style", ["problem", "envelope", "minimal", "bare"])
def test_poison_is_refused_in_the_configured_style(switched, style):
    api = switched(error_style=style)
    api.service.faults.add(Poison("orders", keys=["o1"], field="OrderItems[0].Sku"))

    reply = api.post("orders", api.order(0), api.order(1))

    key = {"minimal": "", "bare": "Sku"}.get(style, "[1].OrderItems[0].Sku")
    assert (reply.status, list(reply.errors)) == (400, [key])
    assert api.stored("orders") == {}
    assert api.post("orders", api.order(0)).status == 200


def test_poison_matches_a_pattern_on_any_identifier(vendor):
    api = vendor()
    api.service.faults.add(Poison(pattern=r"p1@.*"))

    assert api.post("customers", api.customer(1)).status == 400
    assert api.post("customers", api.customer(2)).status == 200


def test_poison_may_be_skipped_silently(vendor):
    api = vendor()
    api.service.faults.add(Poison("orders", keys=["o1"], outcome="ignore"))

    reply = api.post("orders", api.order(1), api.order(2))

    assert (reply.status, reply.count, list(api.stored("orders"))) == (200, 1, ["o2"])


def test_faults_end_when_cleared(vendor):
    api = vendor()
    api.service.faults.add(Fault("status"), Poison(keys=["o1"]))

    api.service.faults.clear()

    assert api.post("orders", api.order(1)).status == 200


@pytest.mark.parametrize("rule", [{"kind": "earthquake"}, {"kind": "STATUS"}])
def test_unknown_kind_is_refused(rule):
    with pytest.raises(ValueError, match="not a valid FaultKind"):
        Fault(**rule)


def test_unknown_poison_outcome_is_refused():
    with pytest.raises(ValueError, match="refuse or ignore"):
        Poison(keys=["o1"], outcome="explode")


def test_faulty_requests_use_up_quota(vendor):
    from replenit_destination.sandbox import Limits

    api = vendor(limits=Limits(per_minute=2))
    api.service.faults.add(Fault("status"))

    assert [api.delete("orders", "/x").status for _ in range(3)] == [500, 500, 429]
