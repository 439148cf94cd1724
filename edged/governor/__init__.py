"""Keeps the board cool and its supply at ease: how much work is allowed, and what it is best spent on."""
