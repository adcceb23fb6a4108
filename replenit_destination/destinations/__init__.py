"""The dlt face: what `destination="replenit"` and `replenit(...)` resolve to."""
