"""Real processes on one account, on a clock that skips what all of them sleep through."""
