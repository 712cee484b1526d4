"""From response to final answer to verdict; vote and metrics."""
