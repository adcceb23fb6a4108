from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from replenit_destination.engine.batching import LearnedLimits, Numbering, Packer, halves, pack
from replenit_destination.engine.documents import Removal
from replenit_destination.engine.target import BatchLimits
from tests.doubles.vendor import document, documents


def limits(count: int = 3, size: int = 10_000) -> LearnedLimits:
    return LearnedLimits(lambda _entity: BatchLimits(count, size))


def packed(items, allowed) -> list[list[str]]:
    return [[item.key for item in batch.items] for batch in pack(items, allowed)]


def test_batches_are_full_by_count_and_keep_order():
    assert packed(documents(7), limits(3)) == [["k0", "k1", "k2"], ["k3", "k4", "k5"], ["k6"]]


def test_batch_closes_before_the_byte_limit_is_passed():
    docs = documents(3)
    two = len(docs[0].body) + len(docs[1].body) + 3  # brackets and one comma
    assert packed(docs, limits(10, two)) == [["k0", "k1"], ["k2"]]
    assert packed(docs, limits(10, two - 1)) == [["k0"], ["k1"], ["k2"]]


def test_document_larger_than_the_limit_travels_alone():
    docs = [document("a"), document("big", value="x" * 500), document("b")]
    assert packed(docs, limits(10, 200)) == [["a"], ["big"], ["b"]]


def test_entities_are_packed_apart():
    docs = [document("c1", entity="customers"), document("p1", entity="products")]
    assert packed([*docs, document("c2", entity="customers")], limits(2)) == [["c1", "c2"], ["p1"]]


def test_urgent_documents_are_packed_apart_and_closed_first():
    docs = [document("a"), document("u", urgent=True), document("b")]
    assert packed(docs, limits(5)) == [["u"], ["a", "b"]]


def test_removals_travel_alone():
    items = [Removal("orders", "a"), Removal("orders", "b", child='["1"]')]
    assert packed(items, limits(5)) == [["a"], ["b"]]


def test_halves_of_an_odd_number_lose_nothing():
    first, second = halves(documents(5))
    assert [len(first), len(second)] == [2, 3]


def test_learned_limit_halves_on_refusal_and_grows_back():
    learned: dict[str, int] = {}
    allowed = LearnedLimits(lambda _entity: BatchLimits(1000, 100_000), learned)
    batch = Numbering().batch([document(f"k{n}", value="x" * 40_000) for n in range(2)])
    half = len(batch.items[0].body) + 2
    allowed.too_large(batch)
    assert learned == {"orders": half}
    for _ in range(20):
        allowed.accepted(batch)
    assert learned == {"orders": int(half * 1.25)}
    for _ in range(100):
        allowed.accepted(batch)
    assert learned == {}
    assert allowed("orders").bytes == 100_000


@given(
    sizes=st.lists(st.integers(0, 400), max_size=60),
    count=st.integers(1, 9),
    size=st.integers(30, 1000),
)
def test_packing_never_drops_repeats_or_overfills(sizes, count, size):
    docs = [document(f"k{n}", value="x" * length) for n, length in enumerate(sizes)]
    batches = list(pack(docs, limits(count, size)))
    assert [item for batch in batches for item in batch.items] == docs
    assert [batch.number for batch in batches] == list(range(1, len(batches) + 1))
    for batch in batches:
        assert len(batch.items) <= count
        assert batch.size_bytes <= size or len(batch.items) == 1


@given(st.integers(1, 30), st.integers(1, 9))
def test_packer_holds_less_than_one_batch(total, count):
    packer = Packer(limits(count), Numbering())
    for item in documents(total):
        packer.add(item)
        assert len(packer) < count
