"""``python -m edged.events``"""

import sys

from edged.events import catalogue, table

sys.stdout.write(table() if "table" in sys.argv else catalogue())
