"""A double of Replenit's ingestion API, read from the vendor's pages and from nothing else."""
