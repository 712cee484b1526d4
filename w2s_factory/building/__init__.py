"""Datasets: gold, full weak, Stage I, Stage II."""
