"""Which shop, with which token: what is accepted, what is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from shopify.settings import Settings, missing_settings, resolve, shop_url
from shopify.windows import Asked, Window, close_window, next_window

from replenit_destination.exceptions import MissingSettingsError, SettingsError

NOON = datetime(2026, 5, 1, 12, 0, 30, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "my-shop",
        "My-Shop",
        "my-shop.myshopify.com",
        "https://my-shop.myshopify.com/",
        "https://my-shop.myshopify.com/admin/products",
        "https://admin.shopify.com/store/my-shop/settings",
        "admin.shopify.com/store/my-shop",
    ],
)
def test_every_way_to_name_a_shop_gives_its_address(written: str) -> None:
    assert shop_url(written) == "https://my-shop.myshopify.com"


@pytest.mark.parametrize(
    "written",
    ["www.example.com", "http://my-shop.myshopify.com", "my-shop.myshopify.com.example.com", ""],
)
def test_other_addresses_are_refused_without_being_called(written: str) -> None:
    with pytest.raises(SettingsError, match=r"sources\.shopify\.shop"):
        shop_url(written)


def test_loopback_is_taken_for_a_local_double() -> None:
    assert shop_url("http://127.0.0.1:8123") == "http://127.0.0.1:8123"


def test_all_missing_settings_come_in_one_message() -> None:
    with pytest.raises(MissingSettingsError) as caught:
        resolve(None, None, "client", None)
    assert set(caught.value.missing) == {"sources.shopify.shop", "sources.shopify.client_secret"}
    assert "SOURCES__SHOPIFY__CLIENT_SECRET" in str(caught.value)


def test_a_static_token_replaces_both_credentials() -> None:
    assert not missing_settings(shop="x", access_token="t", client_id=None, client_secret=None)


def test_secrets_do_not_show_in_the_settings_repr() -> None:
    shown = repr(Settings("https://x.myshopify.com", "tok-1", client_secret="sec-1"))
    assert "tok-1" not in shown
    assert "sec-1" not in shown


def test_version_that_cannot_be_asked_for_is_refused() -> None:
    with pytest.raises(SettingsError, match="2026-10"):
        Settings("https://x.myshopify.com", "t", version="2025-04")


def test_first_window_ends_behind_now_and_later_ones_overlap() -> None:
    settings = Settings("https://x.myshopify.com", "t")
    state: dict[str, str] = {}
    first = next_window(state, settings, NOON, Asked())
    assert first == Window(None, datetime(2026, 5, 1, 11, 58, 30, tzinfo=UTC), first=True)
    assert first.search("updated_at") == "updated_at:<'2026-05-01T11:58:30Z'"
    close_window(state, first)
    second = next_window(state, settings, NOON + timedelta(hours=1), Asked())
    assert second is not None
    assert second.search("created_at", "action:destroy") == (
        "action:destroy AND created_at:>='2026-05-01T11:48:30Z'"
        " AND created_at:<'2026-05-01T12:58:30Z'"
    )


def test_no_window_before_time_has_passed() -> None:
    settings = Settings("https://x.myshopify.com", "t")
    state: dict[str, str] = {}
    first = next_window(state, settings, NOON, Asked())
    assert first is not None
    close_window(state, first)
    assert next_window(state, settings, NOON, Asked()) is None
