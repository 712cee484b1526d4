"""The played LLaMA-Factory (tests/played) with a command that may be sabotaged; found first on `PYTHONPATH`."""
