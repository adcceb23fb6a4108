"""A dlt destination that delivers nested documents to Replenit."""

__version__ = "0.1.0"
