"""Results from responses, votes over samples, metrics and evaluation."""
