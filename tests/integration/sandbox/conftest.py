import httpx
import pytest


@pytest.fixture
def client():
    """Open a client on a running sandbox; redirects are never followed."""
    opened: list[httpx.Client] = []

    def connect(box, **headers: str) -> httpx.Client:
        headers = {"x-replenit-auth-key": box.api_key, **headers}
        opened.append(httpx.Client(base_url=box.url, headers=headers, timeout=5, trust_env=False))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()
