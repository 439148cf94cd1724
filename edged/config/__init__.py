"""TOML -> frozen config. ``shape`` is what may be said; the rest reads it and tells what is wrong."""
