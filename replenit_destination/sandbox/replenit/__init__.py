"""A double of Replenit's API, read from the vendor's pages independently of our client."""
