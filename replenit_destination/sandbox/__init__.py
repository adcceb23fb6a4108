"""Doubles of the vendors' APIs that anyone can run without an account."""
