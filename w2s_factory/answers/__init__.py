"""Final answers of responses, their normalisation and comparison. This package knows no task."""
