"""What can be wrong with a database: messages name tables and columns, never their content."""

from __future__ import annotations

__all__ = ["PostgresError"]


class PostgresError(Exception):
    """The database cannot be read as asked; the message says what to change."""
