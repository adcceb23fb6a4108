"""Switches themselves, and those that decide what is valid; the last test counts them all."""

import json
import re
from pathlib import Path

import pytest

from replenit_destination.sandbox import SWITCHES, Clock, Switches
from replenit_destination.sandbox.replenit.switches import parse_switch


@pytest.mark.parametrize(("answer", "status"), [("400", 400), ("413", 413), ("accept", 200)])
def test_over_maximum(switched, answer, status):
    api = switched(over_maximum=answer)
    products = [api.product(number) for number in range(201)]

    reply = api.post("products", *products)

    assert reply.status == status
    assert len(api.stored("products")) == (201 if answer == "accept" else 0)
    assert api.post("products", *products[:200]).status == 200


@pytest.mark.parametrize(("limit", "status"), [(0, 200), (100, 413)])
def test_max_body_bytes(switched, limit, status):
    api = switched(max_body_bytes=limit)

    assert api.post("orders", api.order(1)).status == status


@pytest.mark.parametrize(
    ("unit", "statuses"),
    [("codepoints", (200, 200)), ("utf16", (200, 400)), ("bytes", (400, 400))],
)
def test_length_unit(switched, unit, statuses):
    api = switched(length_unit=unit)

    accented = api.post("customers", api.customer(1, Name="é" * 100))
    emoji = api.post("customers", api.customer(1, Name="🧼" * 51))

    assert (accented.status, emoji.status) == statuses


@pytest.mark.parametrize(("caps", "status"), [({}, 200), ({"OrderItem.Size": 3}, 400)])
def test_caps_override_the_table(switched, caps, status):
    api = switched(caps=caps)

    assert api.post("orders", api.order(1, OrderItems=[api.line(1, Size="500ml")])).status == status


def test_caps_of_zero_lift_a_maximum(switched):
    api = switched(caps="Order.OrderId:0")

    assert api.post("orders", api.order(1, OrderId="x" * 500)).status == 200


def test_required_fields_are_a_tenants_own(vendor):
    """Q17: a tenant may require Language or GdprOptin."""
    tenants = {
        "key": ["5a11d0b0-0000-4000-8000-000000000001", "5a11d0b0-0000-4000-8000-000000000002"]
    }
    demanding = tenants["key"][1]
    api = vendor(
        tenants=tenants,
        tenant_switches={demanding: {"required_fields": ["GdprOptin", "Order.TotalQuantity"]}},
    )
    assert api.post("customers", api.customer(1)).status == 200

    api.tenant = demanding

    assert list(api.post("customers", api.customer(1)).errors) == ["[0].GdprOptin"]
    assert list(api.post("orders", api.order(1)).errors) == ["[0].TotalQuantity"]
    assert api.post("customers", api.customer(1, GdprOptin=False)).status == 200


@pytest.mark.parametrize(
    ("quantities", "profile", "status"),
    [
        ("profile", "strict", 400),
        ("profile", "gitbook", 200),
        ("strict", "gitbook", 400),
        ("accept", "strict", 200),
    ],
)
def test_quantities(vendor, quantities, profile, status):
    api = vendor(profile=profile, switches={"quantities": quantities})

    assert api.post("orders", api.order(1, OrderItems=[api.line(1, Quantity=-1)])).status == status


@pytest.mark.parametrize(
    ("timestamps", "profile", "status"),
    [
        ("profile", "strict", 400),
        ("profile", "gitbook", 200),
        ("strict", "gitbook", 400),
        ("lenient", "strict", 200),
    ],
)
def test_timestamps(vendor, timestamps, profile, status):
    api = vendor(profile=profile, switches={"timestamps": timestamps})

    reply = api.post("orders", api.order(1, OrderDate="2026-05-01T12:00:00+02:00"))

    assert reply.status == status
    if status == 200:
        assert api.stored("orders")["o1"]["OrderDate"] == "2026-05-01T10:00:00Z"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"childs": "merge"}, "no switch 'childs'"),
        ({"children": "append"}, "children is one of merge, replace"),
    ],
)
def test_switch_that_does_not_exist_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        Switches().but(changes)


def test_switch_is_read_from_the_command_line():
    texts = ["children=replace", "delete_delay=1.5", "caps=Order.OrderId:5,OrderItem.Sku:0"]
    texts.append("required_fields=Language,GdprOptin")

    switches = Switches().but(dict(parse_switch(text) for text in texts))

    assert switches.children == "replace"
    assert switches.delete_delay == 1.5
    assert switches.caps == {"Order.OrderId": 5, "OrderItem.Sku": 0}
    assert switches.required_fields == ("Language", "GdprOptin")
    with pytest.raises(ValueError, match="name=value"):
        parse_switch("children")


def test_every_switch_has_a_test_of_its_own():
    texts = [page.read_text() for page in Path(__file__).parent.glob("test_switches*.py")]
    tests = [name for text in texts for name in re.findall(r"^def test_(\w+)", text, re.MULTILINE)]

    untested = [name for name in SWITCHES if not any(test.startswith(name) for test in tests)]

    assert untested == []


def test_switches_are_json(vendor):
    assert json.loads(json.dumps(vendor(clock=Clock()).service.switches.as_dict()))
