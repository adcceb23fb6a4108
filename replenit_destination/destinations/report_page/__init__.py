"""The HTML report: one page of one file, for one run and for many."""
