"""The commands: one module each, its docstring is its help."""
