"""What is wrong with this machine, its camera, its card or its edged, and how to mend it. docs/doctor.md
lists it.

One file per check, each with a function ``examine(case)`` that yields findings. ``register`` is the list of
them, ``isolation`` runs each in a process of its own and for so long at most, ``case`` is what all of them
start from. A check opens, reads and asks; it changes nothing, takes no picture and tells no secret.
"""
