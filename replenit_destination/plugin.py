"""Entry point of group `dlt`: makes this package a dlt plugin.

dlt looks for `destination="replenit"` in the `destinations` package of every plugin, so that being
listed is all it takes. dlt imports this module at each start, therefore it imports nothing itself.
"""
