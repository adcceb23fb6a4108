"""Assembled rows: sound ones, each bent in one documented way, and some bent in several.

A row's values are what the assembly's SQL makes: numbers as text, moments as text, null for
nothing. `n` numbers the rows and stands in every identifier, so that no two rows share one.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Row = dict[str, Any]
    Value = Callable[[int], Any]

__all__ = ["CHILDREN", "SOUND", "generate"]

SEED = 20251009
RANDOM_ROWS = 250
ABSENT = object()
CHILDREN = {"orders": "OrderItems", "products": "ProductVariants"}


def customer(n: int) -> Row:
    return {
        "CustomerId": f"c-{n}",
        "Email": f"person{n}@example.com",
        "Name": "Ana",
        "Surname": "Example",
        "Phone": "+14155550123",
        "Language": "de-AT",
        "Username": f"ana{n}",
        "EmailOptin": True,
        "SmsOptin": False,
        "GdprOptin": True,
    }


def line(n: int) -> Row:
    return {
        "ProductId": f"p-{n}",
        "Sku": f"sku-{n}",
        "Quantity": "2",
        "Price": "9.990000000",
        "OriginalPrice": "12.50",
        "Size": "500ml",
    }


def order(n: int) -> Row:
    return {
        "OrderId": f"o-{n}",
        "CustomerId": f"c-{n}",
        "Email": f"person{n}@example.com",
        "OrderDate": "2025-08-22T21:00:00.000Z",
        "TotalRevenue": "29.970000000",
        "Currency": "EUR",
        "OrderItems": [line(n), {**line(n), "Sku": f"sku-{n}-b", "Quantity": "1"}],
    }


def variant(n: int) -> Row:
    return {
        "VariantId": f"v-{n}",
        "Sku": f"sku-{n}",
        "Name": "Shampoo 500 ml",
        "OriginalPrice": "12.50",
        "Currency": "EUR",
        "IsAvailable": True,
        "Image": "https://cdn.example.com/a.jpg",
        "Stock": "7",
        "SalePrice": "9.990000",
        "Language": "de",
        "BrandName": "Example",
    }


def product(n: int) -> Row:
    return {
        "ProductId": f"p-{n}",
        "ProductName": "Shampoo",
        "Taxonomy": ["Care", "Hair"],
        "IsOfflineExclusive": False,
        "ProductVariants": [variant(n), {**variant(n), "VariantId": f"v-{n}-b", "Sku": f"t-{n}"}],
    }


SOUND: dict[str, Callable[[int], Row]] = {
    "customers": customer,
    "orders": order,
    "products": product,
}


def _is(value: Any) -> Value:
    return lambda n: value


def _with(template: str) -> Value:
    """Return the text with `#` replaced by the row's number."""
    return lambda n: template.replace("#", str(n))


def _sized(units: int, fill: str = "x", end: str = "") -> Value:
    """Return a text of exactly so many UTF-16 units that begins with the row's number."""
    width = len(fill.encode("utf-16-le")) // 2

    def value(n: int) -> str:
        start = f"{n}-"
        room = units - len(start) - len(end)
        return start + "x" * (room % width) + fill * (room // width) + end

    return value


_NOTHING = [_is(ABSENT), _is(None), _is("")]
_OTHER_TYPES = [_is(7), _is(True), _is(["x"]), _is({"a": "b"})]


def _texts(*caps: int) -> list[Value]:
    at_the_caps = [
        _sized(cap + more, fill) for cap in caps for more in (0, 1) for fill in ("x", "漢", "😀")
    ]
    blank = [" ", "\u3000", "\x1f"]
    odd = ["#a\0b", "#é\u0301 \u200d😀", "#a\nb", "null#", '#"\\/', "#<b>&amp;"]
    return [*at_the_caps, *map(_is, blank), *map(_with, odd), *_NOTHING, *_OTHER_TYPES]


def _identifiers(cap: int) -> list[Value]:
    odd = ["#/a?b=c&d#", "#%2F+", "Ünï-#-漢", "# inner", "#\u200b", "#\tb", "\u00a0#", "# "]
    return [*_texts(cap), *map(_with, odd)]


_EMAILS = [
    *(_sized(units, end="@example.com") for units in (255, 256)),
    *(_sized(units, "é", "@example.com") for units in (255, 256)),
    *map(_with, ["a#+b@example.co.uk", "ü#@exämple.de", "o'neil#@example.com", "#@EXAMPLE.com"]),
    *map(_with, ["nobody#", "a#@localhost", "a# b@example.com", "a#@@example.com", "@b#.com"]),
    *map(_with, ["a..b#@example.com", ".#@example.com", "a#@example.c", "a#@example.c1"]),
    *map(_with, ["a#@-example.com", '"a#"@example.com', "a#@[127.0.0.1]", "a#@example.com."]),
    *_texts(),
]
_PHONES = [
    *map(_is, ["+49301234567", "+123456789012345", "+1234567890123456", "+12", "+1", "+0123"]),
    *map(_is, ["030 1234567", "004930123456", "+49 30 123", "1" * 20, "1" * 21, "+٤٩٣٠"]),
    *_texts(),
]
_LANGUAGES = [
    *map(_is, ["de", "DE-de", "de_AT", "pt-BR", "zh-Hant-TW", "zh_hant_tw", "zho-Hant-TW"]),
    *map(_is, ["es-419", "german", "d", "de-", "deutsch (AT)", "de-AT-1996", "sl-rozaj", "x" * 11]),
    *_texts(),
]
_CURRENCIES = [
    *map(_is, ["USD", "eur", "Eur", "€", "EURO", "EU", "EU1", "\uff25\uff35\uff32"]),
    *_texts(),
]
_MOMENTS = [
    *map(_is, ["2025-08-22T21:00:00Z", "2024-02-29T23:59:59.999Z", "1970-01-01T00:00:00.000Z"]),
    *map(_is, ["2025-02-30T21:00:00.000Z", "0000-01-01T00:00:00.000Z", "2025-08-22T24:00:00.000Z"]),
    *map(_is, ["2025-08-22T21:00:00.1234567Z", "2025-08-22T21:00:00+02:00", "2025-08-22T21:00:00"]),
    *map(_is, ["2025-08-22T21:00:00+00:00", "2025-08-22", "22.8.2025", "2025-08-22 21:00:00Z"]),
    *map(_is, ["2099-01-01T00:00:00.000Z", "2025-08-22T21:00:60.000Z", "٢025-08-22T21:00:00.000Z"]),
    *_texts(),
]
_WORDS_FOR_NUMBERS = [
    _is(word) for word in ("NaN", "Infinity", "NA", "1,5", "1_000", "\uff10", "0x10")
]
_AMOUNTS = [
    *map(_is, ["0", "0.000000000", "-0", "0.1", "19.99", "1e3", "1E-7", "999999999999999"]),
    *map(_is, ["0.12345678901234567890", "1000000000000000", "1000000000000000.01", "1e16"]),
    *map(_is, ["-0.01", "-5", "12.5"]),
    *_WORDS_FOR_NUMBERS,
    *_NOTHING,
    *_OTHER_TYPES[1:],
]
_WHOLES = [
    *map(_is, ["0", "1", "3", "-1", "-2", "2.0", "1.5", "2147483647", "2147483648", "-2147483648"]),
    *_WORDS_FOR_NUMBERS,
    *_NOTHING,
    *_OTHER_TYPES[1:],
]
_FLAGS = [*map(_is, [True, False, "true", "yes", "1", 1, 0]), *_NOTHING]
_IMAGES = [
    *map(_is, ["https://cdn.example.com/ä?x=1#y", "HTTPS://cdn.example.com/a.jpg", "/a.jpg"]),
    *map(_is, ["http://cdn.example.com/a.jpg", "https://localhost/a.jpg", "https://a b.com/c"]),
    *map(_is, ["//cdn.example.com/a.jpg", "https://cdn.example.com/a b.jpg", "https://"]),
    *_texts(),
]
_LISTS = [
    *map(_is, [[], ["Care"], ["Care", "", None, "Hair"], ["Care", "\u3000"], ["Care", 7], "Care"]),
    *map(_is, [["x" * 500] * 20, ["a\0b"], {"a": "b"}, None, ABSENT]),
]


_ORDER_LINES: list[Callable[[int, Row], Any]] = [
    lambda n, row: [],
    lambda n, row: None,
    lambda n, row: ABSENT,
    lambda n, row: "lines",
    lambda n, row: [{}],
    lambda n, row: [*row["OrderItems"], {"Quantity": "1", "Price": "5"}],  # a tip
    lambda n, row: [*row["OrderItems"], {**line(n), "Quantity": "-1"}],  # a return
    lambda n, row: [*row["OrderItems"], {**line(n), "Quantity": "-2"}],
    lambda n, row: [line(n), {**line(n), "Quantity": "-2"}],  # all of it returned
    lambda n, row: [line(n), {**line(n), "Quantity": "-3"}],  # more than was sold
    lambda n, row: [line(n), line(n)],
    lambda n, row: [line(n), {**line(n), "Price": "3.33", "IsGift": True}],
    lambda n, row: [line(n), {**line(n), "Sku": f"SKU-{n}"}],
    lambda n, row: [line(n), {**line(n), "Sku": None}, {**line(n), "ProductId": ""}],
    lambda n, row: [{**line(n), "Sku": f"s-{k}"} for k in range(300)],
]
_PRODUCT_VARIANTS: list[Callable[[int, Row], Any]] = [
    lambda n, row: [],
    lambda n, row: None,
    lambda n, row: ABSENT,
    lambda n, row: {"VariantId": "v"},
    lambda n, row: [{}],
    lambda n, row: [variant(n), variant(n)],
    lambda n, row: [variant(n), {**variant(n), "VariantId": f"v-{n}-c"}],
    lambda n, row: [
        {**variant(n), "VariantId": f"v-{at}", "Sku": f"{n}-{at}"} for at in range(200)
    ],
]

BENDS: dict[str, dict[str, list[Value]]] = {
    "customers": {
        "CustomerId": _identifiers(100),
        "Email": _EMAILS,
        "Name": _texts(100),
        "Surname": _texts(100, 300),
        "Phone": _PHONES,
        "Language": _LANGUAGES,
        "Username": _texts(500),
        **dict.fromkeys(["EmailOptin", "SmsOptin", "WhatsappOptin", "AppPushOptin"], _FLAGS),
        **dict.fromkeys(["GdprOptin", "IsExcluded"], _FLAGS),
        "Nickname": [_is("unknown to every page")],
    },
    "orders": {
        "OrderId": _identifiers(100),
        "CustomerId": _identifiers(100),
        "Email": _EMAILS,
        "OrderDate": _MOMENTS,
        "TotalRevenue": _AMOUNTS,
        "Currency": _CURRENCIES,
        "TotalQuantity": _WHOLES,
        "UniqueQuantity": _WHOLES,
        "IsOrderCancelled": _FLAGS,
        "OrderItems.ProductId": _identifiers(100),
        "OrderItems.Sku": _identifiers(100),
        "OrderItems.Quantity": _WHOLES,
        "OrderItems.Price": _AMOUNTS,
        "OrderItems.OriginalPrice": _AMOUNTS,
        **dict.fromkeys(["OrderItems.Size", "OrderItems.Color", "OrderItems.Brand"], _texts(100)),
        "OrderItems.IsGift": _FLAGS,
        "OrderItems._line": [_is("1")],
    },
    "products": {
        "ProductId": _identifiers(100),
        "ProductName": _texts(200),
        "Taxonomy": _LISTS,
        "IsOfflineExclusive": _FLAGS,
        "ProductVariants.VariantId": _identifiers(100),
        "ProductVariants.Sku": _identifiers(100),
        "ProductVariants.Name": _texts(200),
        "ProductVariants.OriginalPrice": _AMOUNTS,
        "ProductVariants.Currency": _CURRENCIES,
        "ProductVariants.IsAvailable": _FLAGS,
        "ProductVariants.Image": _IMAGES,
        "ProductVariants.Size": _texts(100),
        "ProductVariants.Stock": _WHOLES,
        "ProductVariants.SalePrice": _AMOUNTS,
        "ProductVariants.Language": _LANGUAGES,
        "ProductVariants.BrandName": _texts(200),
    },
}
FAMILIES = {"orders": _ORDER_LINES, "products": _PRODUCT_VARIANTS}


def generate(entity: str) -> Iterator[Row]:
    """Return the rows of one entity, always the same ones.

    Yields: The sound row, each bend alone, each family of children, then rows with two to four
    bends drawn at random.
    """
    sound, bends = SOUND[entity], BENDS[entity]
    n = 0
    yield sound(n)
    for path, values in bends.items():
        for value in values:
            n += 1
            yield _bent(sound(n), path, value(n), 0)
    for family in FAMILIES.get(entity, []):
        n += 1
        row = sound(n)
        _put(row, CHILDREN[entity], family(n, row))
        yield row
    random = Random(f"{SEED} {entity}")
    for _ in range(RANDOM_ROWS):
        n += 1
        row = sound(n)
        for path in random.sample(sorted(bends), random.randint(2, 4)):
            row = _bent(row, path, random.choice(bends[path])(n), random.randint(0, 1))
        yield row


def _bent(row: Row, path: str, value: Any, child: int) -> Row:
    parent, _, name = path.rpartition(".")
    _put(row[parent][child] if parent else row, name, value)
    return row


def _put(row: Row, name: str, value: Any) -> None:
    if value is ABSENT:
        row.pop(name, None)
    else:
        row[name] = value
