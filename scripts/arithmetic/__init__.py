"""The parts of `make_arithmetic.py`: problems, the stories that tell them, the solvers that answer them."""
