"""The vendor-neutral engine: assemble, diff, validate, batch, send, record, report."""
