"""``python -m edged.worker FD``: the daemon's doing, not a user's."""

import os
import sys

# Before NumPy is first imported: an idle BLAS thread per core costs memory and serves nothing here.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from edged.worker.loop import main

# Not sys.exit: what the interpreter and its libraries do at their end may be what a locked worker may not,
# and the kernel gives everything back by itself.
os._exit(main(sys.argv[1]))
