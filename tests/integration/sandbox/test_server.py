"""The service on the wire: real sockets, real faults of the connection."""

import json
import threading
import time

import httpx
import pytest

from replenit_destination.sandbox import Fault, FaultKind, Limits
from replenit_destination.sandbox.serve import ServerThread

ADA = {"CustomerId": "c1", "Email": "ada+shop@example.com"}


def test_documents_arrive_and_can_be_read_back(replenit_sandbox, client):
    api = client(replenit_sandbox)

    reply = api.post(f"/customers/{replenit_sandbox.tenant_id}", json=[ADA])

    assert reply.status_code == 200
    assert reply.headers["x-ratelimit-remaining"] == "99"
    assert list(replenit_sandbox.state()["customers"]) == ["ada+shop@example.com"]
    assert [entry.outcome for entry in replenit_sandbox.requests("POST", "/customers")] == [
        "stored"
    ]


def test_encoded_ids_and_queries_reach_the_service_as_sent(replenit_sandbox, client):
    api, tenant = client(replenit_sandbox), replenit_sandbox.tenant_id
    api.post(f"/customers/{tenant}", json=[{**ADA, "CustomerId": "a/b"}])

    assert api.delete(f"/customers/{tenant}", params={"email": "x+y@example.com"}).is_success
    assert api.delete(f"/customers/{tenant}/a%2Fb").is_success

    assert replenit_sandbox.state()["customers"] == {}
    assert [each.path for each in replenit_sandbox.journal][-1].endswith("/a%2Fb")
    assert replenit_sandbox.journal[1].query == "email=x%2By%40example.com"


def test_answer_without_body_ends_the_exchange(replenit_sandbox_factory, client):
    box = replenit_sandbox_factory(switches={"delete_body": "204"})
    api = client(box)

    first = api.delete(f"/customers/{box.tenant_id}/x")
    second = api.delete(f"/customers/{box.tenant_id}/x")

    assert (first.status_code, first.content, second.status_code) == (204, b"", 204)


@pytest.mark.parametrize(
    ("fault", "error", "stored"),
    [
        (Fault("reset"), httpx.ReadError, False),
        (Fault("reset", commit=True), httpx.ReadError, True),
        (Fault("close"), httpx.RemoteProtocolError, True),
        (Fault("close", commit=False), httpx.RemoteProtocolError, False),
        (Fault("truncate"), httpx.RemoteProtocolError, True),
        (Fault("timeout", seconds=60), httpx.ReadTimeout, False),
        (Fault("timeout", seconds=0.01, commit=True), httpx.RemoteProtocolError, True),
    ],
    ids=lambda value: f"{value.kind}-{value.commit}" if isinstance(value, Fault) else None,
)
def test_connection_fault_is_seen_by_the_client(
    replenit_sandbox, client, capfd, fault, error, stored
):
    api, tenant = client(replenit_sandbox), replenit_sandbox.tenant_id
    api.timeout = 0.3
    replenit_sandbox.faults.add(fault)

    with pytest.raises(error):
        api.post(f"/customers/{tenant}", json=[ADA])

    replenit_sandbox.faults.clear()
    assert bool(replenit_sandbox.state()["customers"]) == stored
    assert api.post(f"/customers/{tenant}", json=[ADA]).status_code == 200
    assert capfd.readouterr().err == ""


def test_delay_keeps_the_client_waiting(replenit_sandbox, client):
    replenit_sandbox.faults.add(Fault("delay", seconds=0.2))
    started = time.monotonic()

    reply = client(replenit_sandbox).post(f"/customers/{replenit_sandbox.tenant_id}", json=[ADA])

    assert reply.status_code == 200
    assert time.monotonic() - started >= 0.2


def test_stop_does_not_wait_for_a_hanging_request(replenit_sandbox_factory, client, capfd):
    box = replenit_sandbox_factory()
    box.faults.add(Fault(FaultKind.TIMEOUT, seconds=600))
    api, url = client(box), f"/customers/{box.tenant_id}"
    ended: list[type[Exception]] = []

    def ask() -> None:
        try:
            api.post(url, json=[ADA], timeout=30)
        except httpx.HTTPError as error:
            ended.append(type(error))

    asking = threading.Thread(target=ask)
    asking.start()
    while not box.journal:  # the request is being answered: it never will be
        pass
    started = time.monotonic()

    box.stop()
    asking.join(10)

    assert ended == [httpx.RemoteProtocolError]
    assert time.monotonic() - started < 5
    assert capfd.readouterr().err == ""


def test_small_answers_do_not_wait_for_acknowledgements(replenit_sandbox_factory, client):
    """With Nagle's algorithm on, every call costs the 40 ms of a delayed acknowledgement."""
    box = replenit_sandbox_factory(limits=None)
    api = client(box)
    api.delete(f"/orders/{box.tenant_id}/x")
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        api.delete(f"/orders/{box.tenant_id}/x")
        seconds.append(time.perf_counter() - started)

    assert sorted(seconds)[10] < 0.02


def test_several_clients_at_once_are_served_one_request_at_a_time(replenit_sandbox_factory, client):
    box = replenit_sandbox_factory(limits=Limits(per_minute=40))
    statuses: list[int] = []

    def work(number: int) -> None:
        api = client(box)
        for turn in range(15):
            ada = {**ADA, "Email": f"{number}-{turn}@example.com"}
            statuses.append(api.post(f"/customers/{box.tenant_id}", json=[ada]).status_code)

    box.clock.freeze()
    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert (statuses.count(200), statuses.count(429)) == (40, 20)
    assert len(box.state()["customers"]) == 40
    assert sorted(entry.number for entry in box.journal) == list(range(1, 61))


def test_state_survives_a_restart_on_the_same_port(replenit_sandbox_factory, client, tmp_path):
    box = replenit_sandbox_factory(state=tmp_path / "state.sqlite")
    port = int(box.url.rpartition(":")[2])
    client(box).post(f"/customers/{box.tenant_id}", json=[ADA])
    box.stop()

    again = replenit_sandbox_factory(state=tmp_path / "state.sqlite", port=port)

    assert list(again.state()["customers"]) == ["ada+shop@example.com"]


def test_port_that_is_taken_is_an_error(replenit_sandbox, replenit_sandbox_factory):
    port = int(replenit_sandbox.url.rpartition(":")[2])

    with pytest.raises(OSError, match="in use"):
        replenit_sandbox_factory(port=port)


def test_url_before_the_start_says_what_to_do():
    from replenit_destination.sandbox import ReplenitSandbox

    box = ReplenitSandbox()
    with pytest.raises(RuntimeError, match="start"):
        _ = box.url
    box.stop()


def test_server_thread_serves_any_application():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    server = ServerThread(app)
    server.start()
    try:
        assert httpx.get(f"{server.url}/hello", trust_env=False).text == "/hello"
    finally:
        server.stop()


def test_control_area_shows_and_changes_the_inside(replenit_sandbox, client):
    api, tenant = client(replenit_sandbox), replenit_sandbox.tenant_id
    api.post(f"/customers/{tenant}", json=[ADA])

    def control(method, name, **options):
        reply = api.request(method, f"/_sandbox/{name}", **options)
        assert reply.status_code == 200, reply.text
        return reply.json()

    assert control("GET", "health") == {
        "ok": True,
        "profile": "strict",
        "requests": 1,
        "faults_fired": 0,
        "tenants": [tenant],
    }
    assert control("GET", "state") == replenit_sandbox.state()
    assert control("GET", "state", params={"tenant": tenant}) == replenit_sandbox.state()
    assert control("GET", "flags")["orders"] == {}
    journal = control("GET", "journal", params={"method": "POST", "limit": 5})
    assert journal == {"total": 1, "entries": [replenit_sandbox.journal[0].as_dict()]}

    clock = control("PUT", "clock", json={"now": "2026-06-01T12:00:00+00:00", "rate": 0})
    assert clock["iso"] == "2026-06-01T12:00:00.000Z"
    assert control("PUT", "clock", json={"advance": 60})["now"] == clock["now"] + 60
    assert replenit_sandbox.clock() == clock["now"] + 60

    rules = [{"kind": "status", "status": 503, "times": 1}, {"keys": ["c9"]}]
    shown = control("POST", "faults", json={"seed": 3, "rules": rules})
    assert (shown["seed"], len(shown["rules"])) == (3, 2)
    assert api.post(f"/customers/{tenant}", json=[ADA]).status_code == 503
    assert api.post(f"/customers/{tenant}", json=[{**ADA, "CustomerId": "c9"}]).status_code == 400
    assert control("GET", "faults")["rules"][0]["fired"] == 1
    assert control("DELETE", "faults")["rules"] == []

    changes = {"profile": "gitbook", "children": "replace", "delete_delay": 60}
    assert control("PATCH", "switches", json=changes)["switches"]["children"] == "replace"
    assert control("GET", "switches", params={"tenant": tenant})["profile"] == "gitbook"
    api.delete(f"/customers/{tenant}/c1")
    assert list(control("GET", "state")["customers"]) == ["ada+shop@example.com"]
    control("POST", "settle")
    assert control("GET", "state")["customers"] == {}
    assert control("DELETE", "journal")["requests"] == 0
    assert control("POST", "reset")["ok"]


@pytest.mark.parametrize(
    ("method", "name", "body", "status", "words"),
    [
        ("GET", "nothing", None, 404, "no such control"),
        ("PATCH", "switches", {"childs": "merge"}, 400, "no switch 'childs'"),
        ("PATCH", "switches", {"profile": "lax"}, 400, "profile is one of"),
        ("POST", "faults", {"kind": "earthquake"}, 400, "earthquake"),
        ("POST", "faults", {"kind": "status", "often": 1}, 400, "often"),
        ("PUT", "clock", {"noon": 1}, 400, "noon"),
    ],
)
def test_faulty_control_request_says_what_is_wrong(
    replenit_sandbox, client, method, name, body, status, words
):
    reply = client(replenit_sandbox).request(
        method, f"/_sandbox/{name}", content=json.dumps(body) if body else b""
    )

    assert reply.status_code == status
    assert words in reply.json()["error"]


def test_control_requests_use_no_quota_and_leave_no_trace(replenit_sandbox_factory, client):
    box = replenit_sandbox_factory(limits=Limits(per_minute=1))
    api = client(box)
    for _ in range(5):
        api.get("/_sandbox/health")

    assert len(box.journal) == 0
    assert api.delete(f"/customers/{box.tenant_id}/x").status_code == 200
