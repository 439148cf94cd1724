"""A campaign of faults against the real store: kills, power cuts, full disks, failing disks, flipped bits.

``make test-faults`` runs it at length, ``tests/test_faults.py`` a small share of it; docs/adr/0022 tells what
each part simulates and what it has found.
"""
