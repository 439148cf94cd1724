"""Measures a board for the governor: what models cost on it, how it warms. `edged tune` is its command."""
