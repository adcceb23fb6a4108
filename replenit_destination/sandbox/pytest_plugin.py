"""Pytest fixtures that start the sandbox."""
