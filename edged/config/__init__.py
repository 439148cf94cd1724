"""TOML -> frozen config. ``shape`` is what may be said, the rest is how it is read and how errors are told."""
