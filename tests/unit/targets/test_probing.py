"""A probe finds out how the sandbox is switched, from its answers alone."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from replenit_destination.engine.target import Answer, Request
from replenit_destination.exceptions import CredentialsRefusedError, ServiceUnavailableError
from replenit_destination.sandbox import API_KEY, TENANT_ID, ReplenitService
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.probing import PREFIX, Probe, Probed
from replenit_destination.targets.replenit.questions import QUESTIONS

SETTINGS = ReplenitSettings(
    api_key=API_KEY, tenant_id=TENANT_ID, customer_identifier_priority="email"
)
IMMEDIATE = {"customer_delete_async": "off", "delete_async": "off", "delete_missing": "404"}
ALL_OPEN = {
    "omitted": ("reset", "keep"),
    "children": ("merge", "replace"),
    "ignored_in_count": ("excluded", "included"),
    "error_style": ("problem", "envelope", "minimal", "bare", "mixed"),
    "customer_priority": ("email", "customerid", "reference"),
}
OTHERS = {
    "atomic_400": ("on", "off"),
    "unknown_customer": ("accept", "ignore"),
    "customer_delete_style": ("both", "query", "path"),
    "rate_headers": ("on", "off"),
}


def probed(switches: dict[str, str], said: dict[str, str] | None = None, **more: Any) -> Probed:
    service = ReplenitService(switches=switches, **{"limits": None, **more})
    return probe(service, said).run()


def probe(service: ReplenitService, said: dict[str, str] | None = None) -> Probe:
    def send(request: Request) -> Answer:
        headers = {"x-replenit-auth-key": API_KEY}
        return Answer(
            *service.handle(request.method, request.path, request.query, headers, request.body)
        )

    return Probe(SETTINGS, send, said or {}, marker="x-", pause=lambda _: None)


def truth(switches: dict[str, str]) -> dict[str, str]:
    """The switches under the names of the questions."""
    children = switches.get("children", "merge")
    return {**switches, "lines": children, "variants": children}


def found(result: Probed) -> dict[str, str | None]:
    return {one.name: one.value for one in result.findings}


def combinations(open_ones: dict[str, tuple[str, ...]]) -> list[dict[str, str]]:
    every = itertools.product(*open_ones.values())
    return [dict(zip(open_ones, values, strict=True)) for values in every]


@pytest.mark.parametrize("profile", ["strict", "gitbook"])
def test_every_combination_is_found_where_deletes_are_immediate(profile: str) -> None:
    """120 combinations; with priority `reference` nothing is skipped, so count stays open."""
    for switches in combinations(ALL_OPEN):
        result = found(probed({**IMMEDIATE, **switches}, profile=profile))
        wanted = truth(switches)
        if switches["customer_priority"] == "reference":
            assert result["ignored_in_count"] is None
            del wanted["ignored_in_count"]
        del wanted["children"]
        assert {name: result[name] for name in wanted} == wanted, switches


def test_every_combination_of_the_others_is_found() -> None:
    """Where customers are deleted by path only, nobody can be looked for by address."""
    for switches in combinations(OTHERS):
        service = ReplenitService(switches={**IMMEDIATE, **switches}, limits=None)
        wanted = dict(switches)
        del wanted["rate_headers"]  # a service without limits sends none
        result = found(probe(service).run())
        assert {name: result[name] for name in wanted} == wanted, switches


def test_quota_headers_are_seen() -> None:
    for value in ("on", "off"):
        service = ReplenitService(switches={"rate_headers": value})
        assert found(probe(service).run())["rate_headers"] == value


def test_every_combination_is_right_or_open_where_deletes_are_queued() -> None:
    """Nothing is guessed: what answers do not show is asked of a person, with what to look at."""
    for switches in combinations({**ALL_OPEN, "unknown_customer": ("accept", "ignore")}):
        result = probed({"delete_async": "on", **switches})
        values, wanted = found(result), truth(switches)
        for name in set(wanted) & set(values):
            assert values[name] in {wanted[name], None}, (name, switches)
        assert values["error_style"] == switches["error_style"]
        assert values["lines"] is values["variants"] is values["omitted"] is None
        asked = {one.name for one in result.findings if one.look}
        assert {"lines", "variants", "omitted"} <= asked
        assert asked <= {name for name, value in values.items() if value is None}


@pytest.mark.parametrize("switches", [IMMEDIATE, {"delete_async": "on"}], ids=["now", "queued"])
def test_probe_leaves_only_what_a_person_has_to_look_at(switches: dict[str, str]) -> None:
    service = ReplenitService(switches=switches, limits=None)
    result = probe(service).run()
    state = service.state()
    kept = {key.split("@")[0] for one in state.values() for key in one}
    assert all(key.startswith(f"{PREFIX}-look-") for key in kept)
    assert kept <= set(result.left)
    assert bool(kept) is (switches is not IMMEDIATE)
    said = {name: question.answers[0] for name, question in QUESTIONS.items()}
    again = probe(service, said).run()
    assert not any(service.state().values())
    assert again.left == ()
    assert None not in found(again).values()


def test_what_a_person_says_counts_only_where_answers_do_not_show_it() -> None:
    said = {"lines": "replace", "omitted": "keep"}
    queued = probed({"delete_async": "on"}, said)
    assert {one.name: (one.value, one.said) for one in queued.findings}["lines"] == (
        "replace",
        True,
    )
    seen = probed({**IMMEDIATE, "children": "merge"}, said)
    assert {one.name: (one.value, one.said) for one in seen.findings}["lines"] == ("merge", False)


def test_settings_follow_from_what_was_found() -> None:
    switches = {"customer_priority": "customerid", "customer_delete_style": "path"}
    assert probed(switches).settings == {
        "customer_identifier_priority": "customerid",
        "customer_delete_style": "path",
    }
    assert probed({"customer_priority": "reference", **IMMEDIATE}).settings == {
        "customer_delete_style": "query"
    }


def test_probe_costs_a_minute_of_quota_at_most() -> None:
    assert probed({}).requests < 80


def test_unknown_tenant_is_told_and_nothing_is_made() -> None:
    service = ReplenitService(limits=None, tenants={API_KEY: [TENANT_ID.replace("1", "2")]})
    with pytest.raises(CredentialsRefusedError, match="tenant"):
        probe(service).run()


def test_used_up_quota_is_told() -> None:
    one = probe(ReplenitService())
    one.transport = lambda _: Answer(429, {"retry-after": "7"}, b"{}")
    waits: list[float] = []
    one.pause = waits.append
    with pytest.raises(ServiceUnavailableError, match="429"):
        one.run()
    assert set(waits) == {7.0}
