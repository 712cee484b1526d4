"""The figures of a report: what can be drawn of a run, in the order of the page."""
