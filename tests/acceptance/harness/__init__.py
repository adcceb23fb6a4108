"""What the acceptance tests of the engine share: a world around one push, and the oracle."""
