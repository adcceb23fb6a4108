from __future__ import annotations

import pytest

from replenit_destination.engine.documents import Lane


def test_whole_customer_travels_with_exactly_the_known_fields(target, customer):
    row = customer(
        Name="Zoë",
        Surname="Müller",
        Phone="+14155550123",
        Language="de_at",
        Username=None,
        EmailOptin=True,
        SmsOptin=False,
        WhatsappOptin=None,
        IsExcluded=False,
        _consent_at="2025-01-01T00:00:00.000Z",
        Unknown="x",
    )
    verdict = target().judge("customers", row)
    assert verdict.payload == {
        "CustomerId": "c-1",
        "Email": "anna@example.com",
        "Name": "Zoë",
        "Surname": "Müller",
        "Phone": "+14155550123",
        "Language": "de-AT",
        "EmailOptin": True,
        "SmsOptin": False,
        "GdprOptin": True,
        "IsExcluded": False,
    }
    assert (verdict.lane, verdict.omitted, verdict.warnings) == (Lane.BATCH, (), ())


def test_missing_gdpr_consent_is_sent_as_false(target, customer):
    verdict = target().judge("customers", customer(GdprOptin=None))
    assert verdict.payload["GdprOptin"] is False


REFUSED = [
    ({"Email": None}, "Email", "missing"),
    ({"Email": ""}, "Email", "missing"),
    ({"Email": "anna"}, "Email", "valid e-mail"),
    ({"Email": "anna@example"}, "Email", "valid e-mail"),
    ({"Email": "an na@example.com"}, "Email", "valid e-mail"),
    ({"Email": "a..b@example.com"}, "Email", "valid e-mail"),
    ({"Email": "a@b@example.com"}, "Email", "valid e-mail"),
    ({"Email": f"{'a' * 244}@example.com"}, "Email", "longer than 255"),
    ({"CustomerId": "x" * 101}, "CustomerId", "longer than 100"),
    ({"CustomerId": "😀" * 51}, "CustomerId", "longer than 100"),
    ({"CustomerId": "a\tb"}, "CustomerId", "invisible"),
    ({"CustomerId": "a\u00a0b"}, "CustomerId", "invisible"),
    ({"CustomerId": "a\u200bb"}, "CustomerId", "invisible"),
    ({"CustomerId": " a"}, "CustomerId", "invisible"),
    ({"CustomerId": "a\0"}, "CustomerId", "U+0000"),
    ({"CustomerId": 7}, "CustomerId", "text"),
    ({"GdprOptin": "yes"}, "GdprOptin", "true or false"),
    ({"GdprOptin": 1}, "GdprOptin", "true or false"),
    ({"SmsOptin": "true"}, "SmsOptin", "true or false"),
]


@pytest.mark.parametrize(("changes", "field", "reason"), REFUSED)
def test_broken_identifier_or_consent_refuses_the_customer(
    target, customer, changes, field, reason
):
    verdict = target().judge("customers", customer(**changes))
    assert verdict.payload == {}
    assert [name for name, _ in verdict.refusals] == [field]
    assert reason in verdict.refusals[0][1]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"Name": "x" * 101}, "Name"),
        ({"Surname": "x" * 301}, "Surname"),
        ({"Phone": "030 1234567"}, "Phone"),
        ({"Phone": "+1415555012345678"}, "Phone"),
        ({"Phone": "+0123"}, "Phone"),
        ({"Language": "german"}, "Language"),
        ({"Language": "zho-Hant-TW"}, "Language"),
        ({"Username": "x" * 501}, "Username"),
        ({"IsExcluded": "no"}, "IsExcluded"),
        ({"Name": "a\0b"}, "Name"),
    ],
)
def test_broken_optional_field_is_left_out_and_listed(target, customer, changes, field):
    verdict = target().judge("customers", customer(**changes))
    assert verdict.payload == {
        "CustomerId": "c-1",
        "Email": "anna@example.com",
        "GdprOptin": True,
    }
    assert [name for name, _ in verdict.omitted] == [field]
    strict = target(optional_invalid="reject").judge("customers", customer(**changes))
    assert [name for name, _ in strict.refusals] == [field]


@pytest.mark.parametrize(
    "changes",
    [
        {"CustomerId": "x" * 100},
        {"CustomerId": "😀" * 50},
        {"CustomerId": "a b/c?d#e%"},
        {"CustomerId": None},
        {"Email": "ü@münchen.example"},
        {"Email": "o'neil+tag@sub.example.co.uk"},
        {"Email": f"{'a' * 243}@example.com"},
        {"Surname": "x" * 100},
        {"Name": "x" * 100},
        {"Username": "x" * 500},
        {"Phone": "+123456789012345"},
        {"Language": "zh-Hant-TW"},
    ],
)
def test_value_at_its_limit_travels_in_a_batch(target, customer, changes):
    verdict = target().judge("customers", customer(**changes))
    assert (verdict.refusals, verdict.omitted, verdict.lane) == ((), (), Lane.BATCH)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("EN", "en"),
        ("pt_br", "pt-BR"),
        ("zh-hANT-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("de-1996", "de-1996"),
    ],
)
def test_language_is_sent_in_canonical_case(target, customer, given, sent):
    assert target().judge("customers", customer(Language=given)).payload["Language"] == sent


def test_long_surname_travels_alone_or_is_left_out(target, customer):
    row = customer(Surname="x" * 101)
    verdict = target().judge("customers", row)
    assert (verdict.lane, verdict.solo_class) == (Lane.SOLO, "long Surname")
    verdict = target(uncertain="reject").judge("customers", row)
    assert (verdict.lane, verdict.omitted[0][0]) == (Lane.BATCH, "Surname")


def test_truncation_is_opt_in_and_warns(target, customer):
    build = target(truncate=["customers.Surname", "customers.Name"])
    verdict = build.judge("customers", customer(Surname="😀" * 60, Name="Zoë"))
    assert verdict.payload["Surname"] == "😀" * 50
    assert (verdict.lane, verdict.warnings) == (Lane.BATCH, (("Surname", "was cut"),))


def test_language_fallback_keeps_the_language(target, customer):
    build = target(language_fallback=True)
    row = customer(Language="zho-Hant-TW")
    assert build.judge("customers", row).payload["Language"] == "zho"


def test_customerid_priority_needs_the_customer_id(target, customer):
    build = target(customer_identifier_priority="customerid", guests="drop")
    assert build.judge("customers", customer(CustomerId="")).refusals == (
        ("CustomerId", "is missing"),
    )
    assert build.judge("customers", customer(Email=None)).payload["CustomerId"] == "c-1"


def test_field_the_tenant_requires_refuses_when_missing_or_broken(target, customer):
    build = target(required_fields=["customers.Language"])
    assert build.judge("customers", customer()).refusals == (("Language", "is missing"),)
    assert build.judge("customers", customer(Language="german")).rejected
    assert not build.judge("customers", customer(Language="de")).rejected


def test_caps_replace_documented_lengths(target, customer):
    build = target(caps={"customers.Surname": 300, "customers.CustomerId": 5})
    verdict = build.judge("customers", customer(Surname="x" * 300))
    assert verdict.lane is Lane.BATCH
    assert build.judge("customers", customer(CustomerId="123456")).rejected


def test_extra_fields_travel_by_their_kind(target, customer):
    build = target(extra_fields={"customers.Points": "integer", "customers.Tier": "text"})
    verdict = build.judge("customers", customer(Points="12", Tier="gold"))
    assert (verdict.payload["Points"], verdict.payload["Tier"]) == (12, "gold")
    assert build.judge("customers", customer(Points="many")).omitted[0][0] == "Points"


def test_no_reason_repeats_the_value(target, customer):
    row = customer(Email="private-words", CustomerId="secret\u200bid", Phone="0301234567")
    verdict = target().judge("customers", row)
    shown = repr((verdict.refusals, verdict.omitted, verdict.warnings))
    assert not any(value in shown for value in ("private", "secret", "0301"))
