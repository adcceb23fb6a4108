"""The vendors documents are delivered to, one folder each."""
