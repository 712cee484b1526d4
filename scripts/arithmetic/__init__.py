"""The parts of `make_arithmetic.py`: problems, stories that describe them, solvers that answer them."""
