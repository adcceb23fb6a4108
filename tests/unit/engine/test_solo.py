from __future__ import annotations

from replenit_destination.engine.solo import PROMOTED_AFTER, SoloLane
from tests.doubles.vendor import document


def guests(count: int) -> list:
    return [document(f"g{n}", solo_class="guest") for n in range(count)]


def test_promotion_hands_out_exactly_the_waiting_documents_of_the_class():
    lane = SoloLane({}, share=1.0, floor=1000)
    other = document("s", solo_class="other")
    waiting = guests(PROMOTED_AFTER + 5)
    for item in [other, *waiting]:
        lane.put(item)
    promoted = []
    for _ in range(PROMOTED_AFTER + 1):
        item = lane.take(0)
        assert item is not None
        promoted += lane.accepted(item)
        assert not promoted or item is waiting[PROMOTED_AFTER - 1]
        if promoted:
            break
    assert promoted == waiting[PROMOTED_AFTER:]
    assert len(lane) == 0


def test_document_without_a_class_is_never_promoted():
    accepted: dict[str, int] = {}
    lane = SoloLane(accepted, share=1.0, floor=1000)
    for n in range(PROMOTED_AFTER + 1):
        lane.accepted(document(f"s{n}", solo_class=""))
    assert accepted == {}
    assert lane.wants(document("s", solo_class=""))


def test_classes_of_two_entities_are_told_apart():
    lane = SoloLane({"orders/guest": PROMOTED_AFTER}, share=1.0, floor=1000)
    assert not lane.wants(document("a", solo_class="guest"))
    assert lane.wants(document("a", entity="customers", solo_class="guest"))


def test_refusal_of_one_sends_the_class_back():
    lane = SoloLane({"orders/guest": 100}, share=1.0, floor=1000)
    lane.refused(document("a", solo_class="guest"))
    assert lane.wants(document("b", solo_class="guest"))
