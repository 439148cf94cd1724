"""Left of the wall: sees frames, keeps nothing, knows no key. Never imports anything from the right."""
