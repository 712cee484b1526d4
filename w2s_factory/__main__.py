"""`python -m w2s_factory`: the same as the command `w2s-factory`."""

from __future__ import annotations

from w2s_factory.cli import main

if __name__ == "__main__":
    main()
