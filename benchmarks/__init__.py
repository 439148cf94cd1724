"""What ``make bench`` runs: the real daemon and its parts, measured beside what they are compared with, in
the same run.

``python -m benchmarks [NAME ...]`` prints one table and writes build/bench.json. Each module's
``measure()`` returns figures by key; ``REQUIREMENTS`` says what each must reach.
"""
