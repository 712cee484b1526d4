"""A LLaMA-Factory for tests of the workflow, found first on `PYTHONPATH`; it trains in no time."""
