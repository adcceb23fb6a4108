from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenit_destination.engine.documents import Batch, Document, Removal
from replenit_destination.engine.target import Answer, Pointer, Ruling
from replenit_destination.exceptions import (
    CredentialsRefusedError,
    EndpointRefusedError,
    TenantNotFoundError,
)
from replenit_destination.targets.replenit import errors

NOW = 1_760_000_000.0


def answer(status, body=b"", **headers):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, names, body)


def saved(count=None, **more):
    data = {"processedAt": "2025-08-22T21:00:00.000Z"}
    if count is not None:
        data["count"] = count
    return {"success": True, "message": "Customers saved.", "data": data, **more}


@pytest.mark.parametrize(
    ("status", "body", "confirmed"),
    [
        (200, saved(2), 2),
        (200, saved(1), 1),
        (200, saved(0), 0),
        (200, saved(), None),
        (200, saved(3), None),
        (200, saved(-1), None),
        (200, saved("2"), None),
        (200, saved(True), None),
        (200, {"Success": True, "Data": {"Count": 2}}, 2),
        (200, {"data": None}, None),
        (202, b"", None),
        (204, b"", None),
    ],
)
def test_success_with_the_count_the_service_states(target, upserts, status, body, confirmed):
    reading = target().read(upserts(b"{}", b"{}"), answer(status, body))
    assert (reading.ruling, reading.confirmed, reading.error) == (
        Ruling.ACCEPTED,
        confirmed,
        None,
    )


def test_success_that_names_documents_names_them_to_us(target, upserts):
    said = saved(1, errors={"[1].Email": ["Invalid email."], "title": ["Partly saved."]})
    reading = target().read(upserts(b"{}", b"{}"), answer(207, said))
    assert (reading.ruling, reading.confirmed) == (Ruling.ACCEPTED, 1)
    assert [(one.index, one.field) for one in reading.pointers] == [(1, "Email")]


@pytest.mark.parametrize(
    "body", [b"", b"<html>ok</html>", b'{"success":true,"data":{"cou', b"[]", b'"x"', b"\xff"]
)
def test_success_that_cannot_be_read_is_tried_again(target, upserts, body):
    assert target().read(upserts(), answer(200, body)).ruling is Ruling.RETRY


def test_failure_under_status_200_is_a_refusal_when_it_is_repeated(target, upserts):
    said = answer(200, {"success": False, "message": "Not saved."})
    reading = target().read(upserts(), said)
    assert (reading.ruling, reading.denied, reading.words) == (Ruling.RETRY, True, "Not saved.")


@pytest.mark.parametrize("body", [b"", b"deleted", {"success": True, "data": {"id": "c-1"}}])
@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_success_of_a_delete_counts(target, removal, status, body):
    reading = target().read(removal("orders", "o-1"), answer(status, body))
    assert reading.ruling is Ruling.ACCEPTED


REQUIRED = "The Email field is required."


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        # F1 [R]
        (
            {
                "success": False,
                "message": "Validation failed",
                "data": {},
                "errors": {
                    "[0].Email": [REQUIRED],
                    "[1].CustomerId": ["Maximum length is 100 characters."],
                },
            },
            (
                Pointer(0, "Email", REQUIRED),
                Pointer(1, "CustomerId", "Maximum length is 100 characters."),
            ),
        ),
        # F2 [D:err]
        (
            {
                "type": "https://tools.ietf.org/html/rfc7231#section-6.5.1",
                "title": "One or more validation errors occurred.",
                "status": 400,
                "traceId": "00-abc123",
                "errors": {"[1].Email": [REQUIRED, "Bad."]},
            },
            (Pointer(1, "Email", REQUIRED), Pointer(1, "Email", "Bad.")),
        ),
        # F3 [D:err]
        (
            {"status": 400, "errors": {"": ["At least one must have a value: CustomerId, Email"]}},
            (Pointer(None, "", "At least one must have a value: CustomerId, Email"),),
        ),
        # F4 [G:err]
        (
            {"title": "Errors.", "status": 400, "errors": {"OrderId": ["This field is required"]}},
            (Pointer(None, "OrderId", "This field is required"),),
        ),
        # F5 on 400
        ({"success": False, "message": "Bad.", "data": {}}, ()),
        # nested and serializer paths
        (
            {"errors": {"[1].OrderItems[2].Price": ["Bad."], "$[0].OrderDate": "Bad."}},
            (Pointer(1, "OrderItems[2].Price", "Bad."), Pointer(0, "OrderDate", "Bad.")),
        ),
        # the serializer repeats its complaint about the whole body
        (
            {"errors": {"$[1].OrderDate": ["Bad."], "dtos": ["The dtos field is required."]}},
            (Pointer(1, "OrderDate", "Bad."),),
        ),
        ({"errors": {"[1]": ["Bad."]}}, (Pointer(1, "", "Bad."),)),
        ({"errors": {"[7].Email": ["Bad."]}}, (Pointer(None, "Email", "Bad."),)),
        ({"errors": {"anna@example.com": ["Bad."]}}, (Pointer(None, "", "Bad."),)),
        ({"Errors": ["Bad."]}, (Pointer(None, "", "Bad."),)),
        ({"errors": {"[0].Email": [{"code": 1}]}}, (Pointer(0, "Email", ""),)),
        ({"errors": "Bad."}, ()),
        (b"Bad Request", ()),
        (b"", ()),
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_refusal_points_at_what_the_body_names(target, upserts, status, body, pointers):
    reading = target().read(upserts(b"{}", b"{}"), answer(status, body))
    assert (reading.ruling, reading.pointers) == (Ruling.REFUSED, pointers)


def test_refusal_of_a_single_document_always_points_at_it(target, upserts):
    reading = target().read(upserts(), answer(400, {"errors": {"": ["Bad."]}}))
    assert reading.pointers == (Pointer(0, "", "Bad."),)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, {"success": False, "message": "Unauthorized.", "data": {}}, CredentialsRefusedError),
        (401, b"", CredentialsRefusedError),
        (403, {"success": False, "message": "Forbidden.", "data": {}}, CredentialsRefusedError),
        (404, {"success": False, "message": "Tenant not found.", "data": {}}, TenantNotFoundError),
        (404, {"title": "Not Found", "status": 404}, TenantNotFoundError),
        (404, b"<html>", EndpointRefusedError),
        (404, b"", EndpointRefusedError),
        (405, b"", EndpointRefusedError),
        (415, b"", EndpointRefusedError),
        (301, b"", EndpointRefusedError),
        (308, b"", EndpointRefusedError),
        (400, {"success": False, "message": "Invalid tenant id."}, TenantNotFoundError),
    ],
)
def test_wrong_settings_stop_an_upsert(target, upserts, status, body, error):
    reading = target().read(upserts(), answer(status, body, location="https://evil.example.com"))
    assert reading.ruling is Ruling.STOP
    assert type(reading.error) is error
    assert "evil" not in str(reading.error)


@pytest.mark.parametrize(
    ("entity", "status", "body", "ruling"),
    [
        ("customers", 404, {"success": False, "message": "Customer not found."}, Ruling.GONE),
        ("customers", 404, {"success": False, "message": "Tenant not found."}, Ruling.STOP),
        (
            "customers",
            404,
            {"success": False, "message": "No such customer in this tenant."},
            Ruling.GONE,
        ),
        ("customers", 404, b"", Ruling.STOP),
        ("customers", 405, b"", Ruling.STOP),
        ("customers", 400, {"success": False, "message": "Customer ID is required."}, Ruling.STOP),
        ("orders", 404, {"success": False, "message": "Order not found."}, Ruling.GONE),
        ("orders", 404, {"title": "Not Found", "status": 404}, Ruling.GONE),
        ("orders", 404, b"Not Found", Ruling.REFUSED),
        ("products", 405, b"", Ruling.REFUSED),
        ("products", 400, {"success": False, "message": "Bad."}, Ruling.REFUSED),
        ("products", 401, b"", Ruling.STOP),
        ("products", 500, {"success": False, "message": "Failed."}, Ruling.RETRY),
    ],
)
def test_answers_to_deletes(target, removal, entity, status, body, ruling):
    assert target().read(removal(entity, "key"), answer(status, body)).ruling is ruling


@pytest.mark.parametrize("status", [404, 405])
def test_refused_delete_route_of_customers_names_the_setting(target, removal, status):
    reading = target().read(removal("customers", "anna@example.com"), answer(status))
    assert isinstance(reading.error, EndpointRefusedError)
    assert "customer_delete_style" in str(reading.error)
    assert "anna" not in str(reading.error)


@pytest.mark.parametrize("status", [408, 409, 425, 500, 501, 502, 503, 504, 599])
def test_transient_failures_are_retried(target, upserts, status):
    reading = target().read(upserts(), answer(status, b"oops"))
    assert (reading.ruling, reading.retry_after_seconds) == (Ruling.RETRY, None)


def test_maintenance_states_its_wait(target, upserts):
    reading = target().read(upserts(), answer(503, b"", retry_after="120"))
    assert (reading.ruling, reading.retry_after_seconds) == (Ruling.RETRY, 120.0)


def test_too_large_is_halved_until_one_document_is_left(target, upserts):
    assert target().read(upserts(b"{}", b"{}"), answer(413)).ruling is Ruling.TOO_LARGE
    assert target().read(upserts(), answer(413)).ruling is Ruling.REFUSED


def retry_body(seconds):
    return {"success": False, "message": "Rate limit exceeded.", "data": {"retryAfter": seconds}}


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        (b"", {}, 60.0),
        (b"", {"retry_after": "30"}, 30.0),
        (retry_body(45), {}, 45.0),
        (retry_body(45), {"retry_after": "30"}, 45.0),
        (retry_body(15), {"retry_after": "30"}, 30.0),
        (retry_body("soon"), {"retry_after": "never"}, 60.0),
        (retry_body(-5), {"retry_after": "-1"}, 60.0),
        (retry_body(10**9), {}, 3600.0),
        (retry_body(None), {"retry_after": "nan"}, 60.0),
        (b"", {"retry_after": "Thu, 09 Oct 2025 08:53:50 GMT"}, 30.0),
        (b"", {"retry_after": "5", "x_ratelimit_reset": "1760000040"}, 40.0),
        (b"", {"x_ratelimit_reset": "1640000000"}, 60.0),
        (b"", {"x_ratelimit_reset": "1860000000"}, 60.0),
        (
            b"",
            {"x_ratelimit_reset": "1760003610", "date": "Thu, 09 Oct 2025 09:53:20 GMT"},
            10.0,
        ),
    ],
)
def test_throttling_waits_for_the_longest_believable_hint(target, upserts, body, headers, seconds):
    reading = target().read(upserts(), answer(429, body, **headers))
    assert (reading.ruling, reading.retry_after_seconds) == (Ruling.THROTTLED, seconds)


@pytest.mark.parametrize(
    ("headers", "remaining", "reset"),
    [
        ({}, None, None),
        ({"x_ratelimit_remaining": "95", "x_ratelimit_limit": "100"}, 95, None),
        ({"x_ratelimit_remaining": "195", "x_ratelimit_limit": "100"}, None, None),
        ({"x_ratelimit_remaining": "-1"}, None, None),
        ({"x_ratelimit_remaining": "many"}, None, None),
        ({"x_ratelimit_remaining": "1", "x_ratelimit_reset": "1760000030"}, 1, 30.0),
        ({"x_ratelimit_reset": "30"}, None, None),
    ],
)
def test_quota_headers_are_told_when_sane(target, upserts, headers, remaining, reset):
    reading = target().read(upserts(), answer(200, saved(1), **headers))
    assert (reading.quota_remaining, reading.quota_reset_seconds) == (remaining, reset)


def test_request_id_comes_from_header_or_body(target, upserts):
    read = target().read
    assert read(upserts(), answer(200, saved(1), x_request_id="abc-1")).request_id == "abc-1"
    assert read(upserts(), answer(400, {"traceId": "00-abc:1"})).request_id == "00-abc:1"
    assert read(upserts(), answer(200, saved(1), x_request_id="<a@b>")).request_id == ""


def test_words_do_not_repeat_the_documents(target, upserts):
    body = b'{"Email":"anna@example.com","Name":"Annabella","Phone":"+14155550123"}'
    errors_said = {"[0].Email": ["Annabella at 'x' (+1 415 555-0123, anna@example.com) unknown"]}
    said = {"success": False, "message": "Annabella exists.", "errors": errors_said}
    reading = target().read(upserts(body, b"{}"), answer(400, said))
    shown = f"{reading.words} {reading.pointers}"
    assert reading.words == "[value] exists."
    assert not any(word in shown for word in ("Annabella", "anna", "415", "'x'"))


BODIES = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["success", "data", "errors", "message", "count", "retryAfter", "[0].Email", ""]
                )
                | st.text(),
                inner,
                max_size=4,
            )
        ),
    ).map(lambda value: json.dumps(value).encode()),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["retry-after", "date", "x-ratelimit-reset", "x-ratelimit-remaining", "x-request-id"]
    ),
    st.text() | st.integers().map(str),
)
BATCHES = st.sampled_from(
    [
        Batch(1, "orders", (Document("orders", "o-1", b'{"OrderId":"o-1"}', 0, 0),)),
        Batch(1, "customers", (Removal("customers", "anna@example.com"),)),
        Batch(1, "orders", (Removal("orders", "o-1", '["p-1","s-1"]'),)),
    ]
)


@given(BATCHES, st.integers(100, 599), BODIES, HEADERS)
def test_every_answer_has_exactly_one_meaning(batch, status, body, headers):
    reading = errors.read(batch, Answer(status, headers, body), now=NOW)
    assert (reading.ruling is Ruling.STOP) == (reading.error is not None)
    assert reading.confirmed is None or 0 <= reading.confirmed <= len(batch.items)
    assert all(one.index is None or one.index < len(batch.items) for one in reading.pointers)
    if reading.ruling is Ruling.THROTTLED:
        assert 0 <= reading.retry_after_seconds <= 3600
    if reading.ruling is Ruling.ACCEPTED:
        assert 200 <= status < 300
