"""The room of whole experiments: one file describes a run, a workflow makes it, a page reports it."""
