from __future__ import annotations

import duckdb
import pytest

from replenit_destination.engine.target import Folding, Kind, Target
from replenit_destination.targets.replenit.entities import CONSENT_RULES


def specs(target):
    return {one.name: one for one in target.entities}


def test_target_keeps_the_engines_protocol(target):
    built: Target = target()
    assert (built.name, built.host) == ("replenit", "https://api.replen.it")
    assert built.tenant == "3f2504e0-4f89-11d3-9a0c-0305e82c3301"


def test_customers_are_keyed_by_the_priority(target):
    customers = specs(target())["customers"]
    assert (customers.key, customers.identity, customers.stage) == ("Email", ("CustomerId",), 0)
    other = specs(target(customer_identifier_priority="customerid", guests="drop"))
    assert (other["customers"].key, other["customers"].identity) == ("CustomerId", ("Email",))
    assert other["orders"].link == {"CustomerId": "customers"}


def test_consents_gate_and_question(target):
    customers = specs(target())["customers"]
    assert set(customers.consents) == {
        "EmailOptin",
        "SmsOptin",
        "WhatsappOptin",
        "AppPushOptin",
        "GdprOptin",
    }
    assert customers.gate is None
    assert "email_or_sms_optin" in customers.choices["GdprOptin"]
    assert specs(target(gdpr_policy="consented_only"))["customers"].gate == "GdprOptin"


def test_orders_wait_for_what_they_point_to(target):
    orders = specs(target())["orders"]
    assert (orders.stage, orders.newest_first) == (1, "OrderDate")
    assert (orders.link, orders.child_link) == ({"Email": "customers"}, {"ProductId": "products"})
    assert (orders.child.block, orders.child.property) == ("items", "OrderItems")
    assert orders.child.key == ("ProductId", "Sku")


def test_products_retire_or_are_deleted(target):
    products = specs(target())["products"]
    assert (products.retire, products.vanished_is_gone) == ("IsAvailable", True)
    assert (products.child.block, products.child.key) == ("variants", ("VariantId",))
    assert specs(target(product_removal="delete"))["products"].retire is None


def test_kinds_requirements_and_folding(target):
    entities = specs(target(extra_fields={"orders.items.Note": "text"}))
    kinds = {
        f"{entity.name}.{one.name}": one.kind
        for entity in entities.values()
        for one in (*entity.fields, *(entity.child.fields if entity.child else ()))
    }
    assert kinds["orders.OrderDate"] is Kind.TIMESTAMP
    assert kinds["orders.Price"] is Kind.DECIMAL
    assert kinds["orders.Quantity"] is Kind.INTEGER
    assert kinds["orders.Note"] is Kind.TEXT
    assert kinds["products.Taxonomy"] is Kind.TEXTS
    assert kinds["customers.GdprOptin"] is Kind.BOOLEAN
    orders = {one.name for one in entities["orders"].fields if one.required}
    assert orders == {"OrderId", "Email", "OrderDate", "TotalRevenue", "Currency"}
    lines = {one.name for one in entities["orders"].child.fields if one.required}
    assert lines == {"ProductId", "Sku", "Quantity", "Price"}


@pytest.mark.parametrize(("case", "folding"), [("lower", Folding.LOWER), ("keep", Folding.NONE)])
def test_addresses_fold_alike_on_customers_and_orders(target, case, folding):
    entities = specs(target(email_case=case))
    foldings = {
        one.folding
        for name in ("customers", "orders")
        for one in entities[name].fields
        if one.name == "Email"
    }
    assert foldings == {folding}


@pytest.mark.parametrize("rule", CONSENT_RULES)
def test_consent_rules_are_sql_that_never_invents_a_consent(rule):
    columns = ("EmailOptin", "SmsOptin", "WhatsappOptin", "AppPushOptin")
    nulls = ", ".join(f"NULL::BOOLEAN AS {name}" for name in columns)
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT {CONSENT_RULES[rule]} FROM (SELECT {nulls})").fetchone()
    assert found == (rule == "always",)
