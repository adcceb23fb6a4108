"""The sample shop: eighteen months in the life of a small shop, the same for the same seed.

Its history is played, not drawn: people register, order again when what they bought is used up,
return things, cancel, unsubscribe, marry and merge, in the order of time and through the same deeds
(`Shop.refund()`, …) that a test uses. So totals, states and timestamps agree with each other as
they would in a real shop.
"""

from __future__ import annotations

import random
import unicodedata
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from replenit_destination.sandbox.shopify.catalogue import FAMILIES, PEOPLE, Family
from replenit_destination.sandbox.shopify.shop import Basket, Shop

if TYPE_CHECKING:
    from collections.abc import Callable

    from replenit_destination.sandbox.shopify.store import Record

__all__ = ["SAMPLE_DATE", "History", "new_day", "sample_shop"]

SAMPLE_DATE = datetime(2026, 10, 31, 18, 0, tzinfo=UTC)
DAYS = 550
CURRENCIES = {
    "GB": ("GBP", "0.86"),
    "US": ("USD", "1.08"),
    "SE": ("SEK", "11.35"),
    "TR": ("TRY", "45.2"),
}
GIFT_NOTES = ({"gift": "yes"}, {"Geschenk": "Ja"}, {"_gift_message": "Alles Gute"})


def sample_shop(
    *, seed: int = 7, customers: int = 420, until: datetime = SAMPLE_DATE, days: int = DAYS
) -> Shop:
    """Return a shop with its history up to `until`; the clock is the system's from there on."""
    return History(seed=seed, customers=customers, until=until, days=days).play()


def new_day(shop: Shop, *, seed: int) -> list[str]:
    """Let a few things happen in a shop, a minute ago, and return what, one line each."""
    with shop.at(shop.clock() - timedelta(minutes=1)):
        return _a_few_things(shop, seed)


def _a_few_things(shop: Shop, seed: int) -> list[str]:
    dice = random.Random(seed)  # noqa: S311
    orders = [key for key, row in shop.orders.items() if not row["cancelledAt"]]
    people = [key for key, row in shop.customers.items() if row["email"]]
    wide = [row for row in shop.products.values() if len(row["variants"]) > 1]
    cancelled, refunded, deleted = dice.sample(orders, 3)
    subscribed = [key for key in people if shop.customers[key]["emailState"] == "SUBSCRIBED"]
    leaving, buyer = dice.choice(subscribed), dice.choice(people)
    product, bought = dice.sample(wide, 2)
    variant = product["variants"][-1]
    shop.cancel_order(cancelled)
    shop.refund(refunded, amount="1.00")
    shop.delete_order(deleted)
    shop.opt_out(leaving)
    shop.remove_variant(product["id"], variant["id"])
    placed = shop.place_order(buyer, [Basket(bought["id"], bought["variants"][0]["id"], 2)])
    return [
        f"order {cancelled} was cancelled",
        f"order {refunded} got 1.00 back",
        f"order {deleted} was deleted",
        f"customer {leaving} unsubscribed",
        f"variant {variant['id']} of product {product['id']} was removed",
        f"customer {buyer} placed order {placed}",
    ]


class History:
    """Plays a shop's history: a queue of things to happen, each of which may cause more."""

    def __init__(self, *, seed: int, customers: int, until: datetime, days: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311  # reproducible, not secret
        self.people = customers
        self.until, self.begin = until, until - timedelta(days=days)
        self.moment = self.begin
        self.shop = Shop(clock=lambda: self.moment)
        self.habits: dict[int, tuple[int, ...]] = {}
        self.families: dict[int, Family] = {}
        self._queue: list[tuple[datetime, int, Callable[[], None]]] = []
        self._count = 0

    def play(self) -> Shop:
        """Play everything and hand over the shop."""
        self._stock_shelves()
        for _ in range(self.people):
            self._at(self._random_moment(0.0, 0.9), self._register)
        for _ in range(self.people // 3):
            self._at(self._random_moment(0.0, 1.0), self._guest_orders)
        for deed, times in (
            (self._merge_twins, 6),
            (self._unsubscribe, 25),
            (self._change_address, 12),
            (self._delete_product, 3),
            (self._retire_product, 3),
            (self._drop_variant, 4),
            (self._delete_order, 3),
        ):
            for _ in range(times):
                self._at(self._random_moment(0.7, 1.0), deed)
        while self._queue:
            self.moment, _, deed = heappop(self._queue)
            deed()
        shop = self.shop
        shop.clock = lambda: datetime.now(UTC)
        return shop

    def _at(self, moment: datetime, deed: Callable[[], None]) -> None:
        if moment < self.until:
            self._count += 1
            heappush(self._queue, (moment, self._count, deed))

    def _random_moment(self, start: float, end: float) -> datetime:
        span = self.until - self.begin
        return self.begin + span * self.dice.uniform(start, end)

    def _later(self, low: float, high: float, deed: Callable[[], None]) -> None:
        self._at(self.moment + timedelta(days=self.dice.uniform(low, high)), deed)

    def _stock_shelves(self) -> None:
        for family in FAMILIES:
            for name in family.names:
                number = self.shop.add_product(
                    name,
                    vendor=family.vendor,
                    product_type=family.product_type,
                    category=family.category,
                    options=(family.option, *([family.colour_option] if family.colours else ())),
                    variants=self._variants(family, name),
                )
                self.families[number] = family
        self.shop.add_product(
            "Geschenkkarte",
            options=("Title",),
            variants=[{"price": "25.00", "tracked": False, "stock": 0, "sku": "GIFT-25"}],
            gift_card=True,
            vendor="Sample",
        )
        self.shop.add_product(
            "Adventskalender 2025",
            variants=[{"price": "39.00", "sku": "ADV-25"}],
            status="DRAFT",
            vendor="Sample",
        )

    def _variants(self, family: Family, name: str) -> list[dict[str, Any]]:
        stem = _ascii(name)[:14].upper()
        variants = []
        for index, (value, price) in enumerate(zip(family.values, family.prices, strict=True)):
            for colour in family.colours or ("",):
                compare_at = f"{float(price) * 1.2:.2f}" if self.dice.random() < 0.15 else None
                variants.append(
                    {
                        "values": (value, colour) if colour else (value,),
                        "price": price,
                        "compare_at": compare_at,
                        "sku": f"{stem}-{index + 1}{_ascii(colour)[:1].upper()}",
                        "stock": self.dice.choice((0, 3, 12, 40, 120, 250)),
                        "image": self.dice.random() < 0.9,
                    }
                )
        return variants

    def _register(self) -> None:
        firsts, lasts, locale, country = self.dice.choices(PEOPLE, (9, 3, 3, 2, 2, 1, 1, 2, 1))[0]
        first, last = self.dice.choice(firsts), self.dice.choice(lasts)
        count = len(self.shop.customers)
        address: str | None = f"{_ascii(first)}.{_ascii(last)}.{count}@example.com".lower()
        phone = f"+4930{5550000 + count}" if self.dice.random() < 0.45 else None
        if self.dice.random() < 0.04:
            address, phone = None, phone or f"+4930{5560000 + count}"
        number = self.shop.add_customer(
            address,
            first_name=first,
            last_name=last,
            phone=phone,
            locale=locale,
            country=country,
            email_state=self.dice.choices(
                ("SUBSCRIBED", "NOT_SUBSCRIBED", "PENDING", "UNSUBSCRIBED"), (60, 30, 5, 5)
            )[0],
            sms_state=self.dice.choices(("SUBSCRIBED", "NOT_SUBSCRIBED"), (40, 60))[0],
            tags=("vip",) if self.dice.random() < 0.05 else (),
        )
        lasting = [key for key, family in self.families.items() if family.lasts_days]
        self.habits[number] = tuple(self.dice.sample(lasting, self.dice.randint(1, 3)))
        if self.dice.random() < 0.92:
            self._later(0, 2, lambda: self._buys_again(number))

    def _buys_again(self, number: int) -> None:
        """A person orders what is used up, and comes back when it will be used up again."""
        habit = [key for key in self.habits.get(number, ()) if key in self.shop.products]
        if number not in self.shop.customers or not habit:
            return
        staple = self.dice.choice(habit)
        basket = [self._line(staple)]
        others = self.dice.choices((0, 1, 2, 3), (45, 30, 15, 10))[0]
        basket += [self._line(self.dice.choice(list(self.shop.products))) for _ in range(others)]
        order = self._place(number, _distinct(basket))
        family = self.families[staple]
        units = basket[0].quantity
        wait = (family.lasts_days or 60) * max(1, units) * self.dice.uniform(1.6, 3.4)
        if self.dice.random() < 0.85:
            self._later(wait * 0.9, wait * 1.15, lambda: self._buys_again(number))
        self._aftermath(order)

    def _line(self, product_id: int) -> Basket:
        product = self.shop.products[product_id]
        variant: Record = self.dice.choice(product["variants"])
        roll = self.dice.random()
        return Basket(
            product_id,
            variant["id"],
            quantity=self.dice.choices((1, 2, 3, 4), (60, 25, 10, 5))[0],
            discount=self.dice.choices(("0.0", "0.1", "0.15", "1.0"), (78, 12, 8, 2))[0],
            attributes=self.dice.choice(GIFT_NOTES) if roll < 0.04 else {},
        )

    def _place(self, number: int | None, basket: list[Basket], email: str | None = None) -> int:
        country = self.shop.customers[number]["country"] if number else "DE"
        presentment, rate = CURRENCIES.get(country, ("EUR", "1"))
        if self.dice.random() < 0.03:
            basket = [*basket, Basket(title="Trinkgeld", price="2.00")]
        if self.dice.random() < 0.01:
            basket = [*basket, Basket(title="Sonderanfertigung", price="48.00")]
        return self.shop.place_order(
            number,
            basket,
            email=email,
            presentment=presentment,
            rate=rate,
            tax_rate="0.08" if country == "US" else "0.19",
            taxes_included=country != "US",
            shipping="0.0" if self.dice.random() < 0.3 else "4.90",
            locale=None if number else self.dice.choice(("de", "fr", "en", "tr")),
            discount_code="WILLKOMMEN" if self.dice.random() < 0.08 else None,
            source="pos" if number is None and email is None else "web",
            test=self.dice.random() < 0.01,
        )

    def _guest_orders(self) -> None:
        """Someone orders without an account: online with an address, or at the till without."""
        named = self.dice.random() < 0.75
        count = len(self.shop.orders)
        email = f"Guest.{count}@example.com" if named else None
        basket = _distinct([self._line(self.dice.choice(list(self.shop.products))) for _ in "ab"])
        self._aftermath(self._place(None, basket, email))

    def _aftermath(self, order: int) -> None:
        """Some orders are cancelled, edited, returned in part or whole, or refunded a little."""
        shop, roll = self.shop, self.dice.random()
        lines = shop.orders[order]["lines"]

        def unless_deleted(low: float, high: float, deed: Callable[[], None]) -> None:
            self._later(low, high, lambda: deed() if order in shop.orders else None)

        if roll < 0.04:
            paid = self.dice.random() < 0.7
            unless_deleted(0.1, 2, lambda: shop.cancel_order(order, paid=paid))
        elif roll < 0.08 and lines[0]["quantity"] > 1:
            unless_deleted(0.1, 1, lambda: shop.edit_order(order, line=0, quantity=1))
        elif roll < 0.10 and len(lines) > 1:
            unless_deleted(0.1, 1, lambda: shop.edit_order(order, line=1, quantity=0))
        elif roll < 0.14:
            unless_deleted(4, 14, lambda: shop.refund(order, units={0: 1}))
        elif roll < 0.16:
            everything = {index: line["quantity"] for index, line in enumerate(lines)}
            unless_deleted(4, 14, lambda: shop.refund(order, units=everything))
        elif roll < 0.18:
            unless_deleted(2, 10, lambda: shop.refund(order, amount="1.50"))

    def _merge_twins(self) -> None:
        """Two accounts of one person become one."""
        known = [key for key, row in self.shop.customers.items() if row["email"]]
        if len(known) > 2:
            keep, lose = self.dice.sample(known, 2)
            self.shop.merge_customers(keep, lose)

    def _unsubscribe(self) -> None:
        known = [k for k, row in self.shop.customers.items() if row["emailState"] == "SUBSCRIBED"]
        self.shop.opt_out(self.dice.choice(known))

    def _change_address(self) -> None:
        number, customer = self.dice.choice(list(self.shop.customers.items()))
        if customer["email"]:
            self.shop.change_email(number, customer["email"].replace("@", ".new@"))

    def _delete_product(self) -> None:
        self.shop.delete_product(
            self.dice.choice(sorted(set(self.families) & set(self.shop.products)))
        )

    def _retire_product(self) -> None:
        status = self.dice.choice(("ARCHIVED", "UNLISTED"))
        self.shop.set_product_status(self.dice.choice(list(self.shop.products)), status)

    def _drop_variant(self) -> None:
        wide = [p for p in self.shop.products.values() if len(p["variants"]) > 1]
        product = self.dice.choice(wide)
        self.shop.remove_variant(product["id"], self.dice.choice(product["variants"])["id"])

    def _delete_order(self) -> None:
        self.shop.delete_order(self.dice.choice(list(self.shop.orders)))


def _distinct(basket: list[Basket]) -> list[Basket]:
    """Most carts hold a variant once; the first line wins."""
    return list({(line.product_id, line.variant_id): line for line in reversed(basket)}.values())[
        ::-1
    ]


def _ascii(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("\u0131", "i"))
    kept = (c for c in folded if c.isascii() and (c.isalnum() or c == " "))
    return "".join(kept).replace(" ", "-")
