"""Entry point of group `dlt`: makes this package a dlt plugin, so `destination="replenit"` resolves."""
