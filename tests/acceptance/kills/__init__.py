"""A shop of 20,000 documents, and the process that delivers it until it is killed.

    test ─── edits ──► source.sqlite ◄── reads ─── life: load + push ─── HTTP ──► sandbox
      └────────────────────────── SIGKILL ──────────────►┘

The sandbox lives with the test and survives; each life is a process of its own that goes on where
the one before was killed.
"""
