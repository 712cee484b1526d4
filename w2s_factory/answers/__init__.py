"""From text to verdict: final answers, normalisation, comparison. This package knows no task."""
