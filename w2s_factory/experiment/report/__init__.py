"""The report of a run: its files are read, evaluated, drawn as figures and written as one HTML page."""
