"""The HTTP transport against a real server on a real socket; its paths name behaviours."""

from __future__ import annotations

import logging
import socket
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from replenit_destination.engine.target import Request, TransportError
from replenit_destination.targets.replenit.api import MAX_ANSWER_BYTES, HttpTransport

KEY = "c2VjcmV0LWtleQ=="


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        self.server.seen.append((self.command, self.path, dict(self.headers.items()), body))
        name = self.path.split("?")[0].rpartition("/")[2]
        getattr(self, f"serve_{name}", self.serve_ok)()

    do_DELETE = do_POST  # noqa: N815  # the name the base class looks for

    def serve_ok(self):
        self.reply(200, b'{"success":true}', [("X-Request-Id", "r-1")])

    def serve_redirect(self):
        self.reply(307, b"", [("Location", f"http://127.0.0.1:{self.server.server_port}/ok")])

    def serve_cookie(self):
        self.reply(200, b"{}", [("Set-Cookie", "session=1")])

    def serve_truncated(self):
        self.reply(200, b"{", [], announced=50)
        self.close_connection = True

    def serve_reset(self):
        self.close_connection = True
        self.connection.close()

    def serve_nothttp(self):
        self.wfile.write(b"hello\r\n\r\n")
        self.close_connection = True

    def serve_silent(self):
        self.server.release.wait(20)
        self.close_connection = True

    def serve_drip(self):
        self.send_response(200)
        self.send_header("content-length", "1000000")
        self.end_headers()
        try:
            while not self.server.release.wait(0.02):
                self.wfile.write(b"x")
                self.wfile.flush()
        except OSError:
            pass
        self.close_connection = True

    def serve_endless(self):
        self.reply(200, b"x" * (MAX_ANSWER_BYTES * 2), [])

    def reply(self, status, body, headers, announced=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body) if announced is None else announced))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []
        self.release = threading.Event()

    def handle_error(self, request, client_address):
        pass


@pytest.fixture
def server():
    served = Server()
    thread = threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield served
    served.release.set()
    served.shutdown()
    served.server_close()
    thread.join()


@pytest.fixture
def transport(server, settings):
    address = f"http://127.0.0.1:{server.server_port}/v1/"
    with HttpTransport(settings(api_key=KEY, base_url=address, timeout_seconds=0.5)) as opened:
        yield opened


def test_request_carries_key_and_body_to_the_configured_host(server, transport):
    answer = transport(Request("POST", "/customers/t", body=b'[{"Email":"a@example.com"}]'))
    assert (answer.status, answer.body) == (200, b'{"success":true}')
    assert answer.headers["x-request-id"] == "r-1"
    assert answer.seconds > 0
    [(method, path, headers, body)] = server.seen
    assert (method, path, body) == ("POST", "/v1/customers/t", b'[{"Email":"a@example.com"}]')
    names = {name.lower(): value for name, value in headers.items()}
    assert names["x-replenit-auth-key"] == KEY
    assert names["content-type"] == "application/json"
    assert names["user-agent"].startswith("dlt-replenit/")


def test_identifiers_arrive_encoded_exactly_once(server, transport):
    transport(Request("DELETE", "/orders/t/a%2Fb%3F%23%20%25%2B", (("sku", "a+b &=%/ü"),)))
    transport(Request("DELETE", "/orders/t/%2E%2E"))
    assert [path for _, path, _, _ in server.seen] == [
        "/v1/orders/t/a%2Fb%3F%23%20%25%2B?sku=a%2Bb%20%26%3D%25%2F%C3%BC",
        "/v1/orders/t/%2E%2E",
    ]
    assert "content-type" not in {name.lower() for name in server.seen[0][2]}


def test_redirects_are_answers_and_cookies_are_forgotten(server, transport):
    assert transport(Request("POST", "/redirect")).status == 307
    transport(Request("POST", "/cookie"))
    transport(Request("POST", "/ok"))
    assert [path for _, path, _, _ in server.seen] == ["/v1/redirect", "/v1/cookie", "/v1/ok"]
    assert "cookie" not in {name.lower() for name in server.seen[2][2]}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/truncated", "reset"),
        ("/nothttp", "protocol"),
        ("/reset", "reset"),
        ("/silent", "timeout"),
        ("/drip", "timeout"),
    ],
)
def test_exchange_without_a_whole_answer_is_a_transport_error(transport, path, reason):
    started = time.monotonic()
    with pytest.raises(TransportError) as caught:
        transport(Request("POST", path, (("email", "anna@example.com"),)))
    assert caught.value.reason == reason
    assert time.monotonic() - started < 5


def test_answer_is_read_up_to_a_limit(transport):
    answer = transport(Request("POST", "/endless"))
    assert MAX_ANSWER_BYTES < len(answer.body) < MAX_ANSWER_BYTES * 2


def test_nobody_listening_is_refused(settings):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        HttpTransport(settings(base_url=f"http://127.0.0.1:{port}")) as transport,
        pytest.raises(TransportError) as caught,
    ):
        transport(Request("POST", "/ok"))
    assert caught.value.reason == "refused"


def test_service_without_tls_under_https_is_a_tls_error(server, settings):
    address = f"https://127.0.0.1:{server.server_port}"
    with (
        HttpTransport(settings(base_url=address)) as transport,
        pytest.raises(TransportError) as caught,
    ):
        transport(Request("POST", "/ok"))
    assert caught.value.reason == "tls"


def test_failures_and_logs_name_neither_key_nor_person(server, transport, caplog):
    caplog.set_level(logging.DEBUG)
    query = (("email", "anna@example.com"),)
    transport(Request("DELETE", "/ok", query))
    shown = []
    for path in ("/truncated", "/reset", "/silent"):
        with pytest.raises(TransportError) as caught:
            transport(Request("DELETE", path, query))
        shown += traceback.format_exception(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
    text = caplog.text + "".join(shown) + repr(transport)
    assert len(shown) > 3
    assert KEY not in text
    assert "anna" not in text


def test_proxy_of_the_environment_is_never_used_for_loopback(
    server, settings, tmp_path, monkeypatch
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    address = f"http://127.0.0.1:{server.server_port}"
    with HttpTransport(settings(base_url=address)) as transport:
        assert transport(Request("POST", "/ok")).status == 200


def test_threads_share_one_transport(server, transport):
    requests = [Request("POST", f"/n{number}") for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(transport, requests))
    assert [answer.status for answer in answers] == [200] * 40
    assert sorted(path for _, path, _, _ in server.seen) == sorted(
        f"/v1{one.path}" for one in requests
    )
