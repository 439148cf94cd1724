"""The checks, one a file: ``examine(case)`` yields findings, and ``Progress`` before what takes long."""
