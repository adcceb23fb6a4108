"""The command and the pytest plugin, each in a process of its own."""

import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest

COMMAND = (sys.executable, "-W", "error", "-m", "replenit_destination.sandbox")


@contextmanager
def running(*options):
    """Start the command and yield its process and its URL."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *options], stderr=subprocess.PIPE, text=True
    )
    try:
        ready = process.stderr.readline()
        yield process, re.search(r"http://127\.0\.0\.1:\d+", ready)[0]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def saved(url, tenant, key):
    headers = {"x-replenit-auth-key": key}
    body = [{"CustomerId": "c1", "Email": "ada@example.com"}]
    return httpx.post(f"{url}/customers/{tenant}", json=body, headers=headers, trust_env=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_serves_until_it_is_told_to_end(tmp_path, number):
    tenant = "5a11d0b0-0000-4000-8000-0000000000aa"
    options = ["--tenant", tenant, "--key", "my-key", "--state", str(tmp_path / "shop.sqlite")]
    with running(*options, "--switch", "processed_at=seconds") as (process, url):
        reply = saved(url, tenant, "my-key")
        assert re.fullmatch(r"[^.]+Z", reply.json()["data"]["processedAt"])
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""

    with running(*options, "--no-limits", "--profile", "gitbook") as (_, url):
        state = httpx.get(f"{url}/_sandbox/state", trust_env=False)
        assert list(state.json()["customers"]) == ["ada@example.com"]
        assert "x-ratelimit-limit" not in saved(url, tenant, "my-key").headers


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--switch", "childs=merge"], "no switch 'childs'"),
        (["--switch", "children"], "name=value"),
        (["--profile", "lax"], "invalid choice"),
    ],
)
def test_wrong_option_ends_with_2_and_a_sentence(options, words):
    ended = subprocess.run([*COMMAND, *options], capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert words in ended.stderr


def test_taken_port_ends_with_2_and_a_sentence(replenit_sandbox):
    port = replenit_sandbox.url.rpartition(":")[2]

    ended = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr


def test_another_project_gets_the_fixtures_by_installing_the_distribution(tmp_path):
    test = tmp_path / "test_shop.py"
    test.write_text(
        "import urllib.request\n"
        "def test_one(replenit_sandbox):\n"
        "    url = replenit_sandbox.url + '/_sandbox/health'\n"
        "    with urllib.request.urlopen(url) as reply:\n"
        "        assert reply.status == 200\n"
        "def test_two(replenit_sandbox_factory):\n"
        "    one = replenit_sandbox_factory(profile='gitbook')\n"
        "    tenant = '5a11d0b0-0000-4000-8000-0000000000aa'\n"
        "    two = replenit_sandbox_factory(tenants={'key': [tenant]})\n"
        "    assert one.url != two.url and two.api_key == 'key'\n"
    )

    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(test)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout


def test_plugin_loads_where_the_server_is_not_installed(tmp_path):
    """Only a test that asks for a fixture fails there, and says what to install."""
    (tmp_path / "conftest.py").write_text(
        "import sys\n"
        "for name in ('msgspec', 'starlette', 'uvicorn'):\n"
        "    sys.modules[name] = None\n"
    )
    test = tmp_path / "test_shop.py"
    test.write_text("def test_a():\n    pass\ndef test_b(replenit_sandbox):\n    pass\n")

    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 passed, 1 error" in ended.stdout
    assert "pip install 'dlt-replenit[sandbox]'" in ended.stdout
