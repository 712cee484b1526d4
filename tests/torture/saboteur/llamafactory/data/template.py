"""Of the templates only the file is looked for."""
