from __future__ import annotations

import pytest

from replenit_destination.exceptions import (
    ChoiceNeededError,
    InsecureEndpointError,
    MissingSettingsError,
    SettingsError,
)
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget


def test_everything_missing_is_reported_at_once():
    with pytest.raises(MissingSettingsError) as caught:
        ReplenitSettings()
    assert set(caught.value.missing) == {"api_key", "tenant_id", "customer_identifier_priority"}


def test_open_choice_is_a_question(settings):
    with pytest.raises(ChoiceNeededError) as caught:
        settings(customer_identifier_priority=None)
    assert set(caught.value.questions) == {"customer_identifier_priority"}
    assert "`email` or `customerid`" in str(caught.value)


@pytest.mark.parametrize("guests", [None, "solo"])
def test_customerid_priority_asks_about_guests(settings, guests):
    with pytest.raises(ChoiceNeededError) as caught:
        settings(customer_identifier_priority="customerid", guests=guests)
    assert set(caught.value.questions) == {"guests"}


def test_key_is_trimmed_and_never_shown(settings):
    given = settings(api_key="  a-secret-key\n")
    assert given.api_key == "a-secret-key"
    assert "secret" not in repr(given)
    assert "secret" not in repr(ReplenitTarget(given))


def test_none_from_a_configuration_layer_means_the_default(settings):
    given = settings(base_url=None, product_removal=None, timeout_seconds=None, caps=None)
    assert given == settings()


@pytest.mark.parametrize(
    "address",
    ["https://api.replen.it", "http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:9/"],
)
def test_https_and_loopback_addresses_are_taken(settings, address):
    assert settings(base_url=address).base_url == address.rstrip("/")


@pytest.mark.parametrize(
    "address", ["http://api.replen.it", "http://10.0.0.1", "http://localhost.example.com"]
)
def test_plain_http_to_another_machine_is_refused(settings, address):
    with pytest.raises(InsecureEndpointError):
        settings(base_url=address)


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "api.replen.it"},
        {"base_url": "ftp://api.replen.it"},
        {"base_url": "https://user:pass@api.replen.it"},
        {"base_url": "https://api.replen.it?x=1"},
        {"base_url": "https://api.replen.it:notaport"},
        {"tenant_id": "my-shop"},
        {"tenant_id": "{3f2504e0-4f89-11d3-9a0c-0305e82c3301}"},
        {"tenant_id": "3f2504e04f8911d39a0c0305e82c3301"},
        {"api_key": "two words"},
        {"api_key": "schlüssel"},
        {"customers_per_request": 1001},
        {"orders_per_request": 501},
        {"products_per_request": 201},
        {"orders_per_request": 0},
        {"max_batch_bytes": 100},
        {"requests_per_minute": 0},
        {"requests_per_hour": -1},
        {"timeout_seconds": 0},
        {"product_removal": "vanish"},
        {"gdpr_policy": "maybe"},
        {"customer_delete_style": "body"},
    ],
)
def test_unusable_value_names_its_setting(settings, changes):
    with pytest.raises(SettingsError, match=next(iter(changes))):
        settings(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"caps": {"orders.items.Skuu": 3}}, "did you mean `orders.items.Sku`"),
        ({"caps": {"orders.TotalRevenue": 3}}, "not a text field"),
        ({"caps": {"orders.items.Sku": 0}}, "at least 1"),
        ({"caps": {"orders.items.Sku": "many"}}, "whole number"),
        ({"truncate": ["orders.OrderId"]}, "must never be altered"),
        ({"required_fields": ["customers.Lang"]}, "did you mean `customers.Language`"),
        ({"extra_fields": {"products.ProductName": "text"}}, "not a new field"),
        ({"extra_fields": {"shops.Name": "text"}}, "not a new field"),
        ({"extra_fields": {"products.variants.Url": "url"}}, "has no kind"),
    ],
)
def test_unknown_field_path_is_refused(target, changes, message):
    with pytest.raises(SettingsError, match=message):
        target(**changes)


def test_fingerprint_follows_what_shapes_documents_only(target):
    before = target().fingerprint
    assert target(api_key="another", timeout_seconds=1, orders_per_request=7).fingerprint == before
    for changes in (
        {"email_case": "keep"},
        {"caps": {"orders.items.Sku": 64}},
        {"customer_identifier_priority": "customerid", "guests": "drop"},
        {"guests": "drop"},
        {"truncate": ["products.ProductName"]},
    ):
        assert target(**changes).fingerprint != before


def test_field_paths_may_come_as_one_text(settings):
    given = settings(required_fields="customers.Language, orders.items.Size")
    assert given.required_fields == ("customers.Language", "orders.items.Size")


def test_quota_windows_are_the_documented_ones_unless_set(target):
    assert target().windows == ((100, 60.0), (5000, 3600.0))
    assert target(requests_per_minute=200).windows == ((200, 60.0), (5000, 3600.0))


def test_account_defaults_to_the_host(settings):
    assert settings().account == "api.replen.it"
    assert settings(account="shop").account == "shop"
