"""Doubles of the engine's seams: a clock, a vendor and a ledger, all deterministic."""
