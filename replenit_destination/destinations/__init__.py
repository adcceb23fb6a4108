"""The dlt face: the destination's factory, its settings, its job client, and `push`."""

from __future__ import annotations

from replenit_destination.destinations.factory import replenit
from replenit_destination.destinations.push import push

__all__ = ["push", "replenit"]
