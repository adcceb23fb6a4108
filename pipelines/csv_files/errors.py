"""What can be wrong with a folder of CSV files: messages name file and line, never the content."""

from __future__ import annotations

__all__ = ["CsvError"]


class CsvError(Exception):
    """The files cannot be read as they are; the message says which one, where, and what to do."""
