"""The client's contracts and the sandbox's rules, held against each other on generated rows.

    rows.py          sound rows, and every documented way to bend them
    shops.py         tenants: our settings with the sandbox's switches
    hearing.py       what both sides say about a row, and what the sandbox stores
    explanations.py  every disagreement, with the reason for it

`python -m tests.acceptance.agreement` prints the disagreements as a table.
"""
