"""Replenit: everything that this vendor decides."""
