"""What an audit looks for: one check a function, a module for each kind of data."""
