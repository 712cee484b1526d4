"""The checks of an audit, a module for each kind of data: a check is a function declared with `@check`."""
