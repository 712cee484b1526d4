"""What a report says: read from the folder of a run, worked out, drawn, and put on a page."""
