"""Entry point of group `dlt`: makes this a dlt plugin, so `destination="replenit"` resolves."""
