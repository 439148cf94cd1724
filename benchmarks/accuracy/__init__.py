"""How right the counts are: ``python -m benchmarks.accuracy``, `make bench-accuracy`.

The scripted scene's true numbers, behind a simulated detector that errs as a real one does (``detector``), go
through the real tracker and the real measures (``chain``) at several rates (``pace``); a real clip goes
through the real detector and a real worker (``visits``); and any clip with labels in the format of the
MOTChallenge can be had (``mot``). docs/accuracy.md has the table and what each figure means.
"""
