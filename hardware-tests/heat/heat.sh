#!/bin/sh
# heat.sh [pytest arguments]   Heat this very board by work on all cores, and hold what edged reads of it against what it does. Some ten
# minutes. EDGED_MAY_HEAT=this-board says that it may; EDGED_CAP (°C, 5 below the board's limit unless said) is where the work pauses,
# EDGED_ABORT (the limit; 90 at most) where it ends at once. It ends too when nothing tells how hot it is, when the reading does not move,
# and when the supply gives way. Ctrl-C ends it at any time, and leaves nothing running.
# EDGED_REHEARSE=simulated:pi4-bare shows all of it within a minute on a board that is not there; one core works meanwhile.
# needs: a checkout with ./install.sh --test done, or another Python with pytest in EDGED_PYTHON
set -eu
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
if [ "${EDGED_MAY_HEAT:-}" != this-board ] && [ -z "${EDGED_REHEARSE:-}" ]; then
  echo "heat.sh: this makes $(hostname) as hot as its cap allows, for ten minutes." >&2
  echo "  if that may be: EDGED_MAY_HEAT=this-board make test-heat" >&2
  echo "  to see it first, on a board that is not there: EDGED_REHEARSE=simulated:pi4-bare make test-heat" >&2
  exit 1
fi
python=${EDGED_PYTHON:-$checkout/.venv/bin/python}
if ! "$python" -c "import pytest, msgspec" 2>/dev/null; then
  echo "heat.sh: $python is no Python with pytest and msgspec: ./install.sh --test makes one, or name another in EDGED_PYTHON" >&2
  exit 1
fi
cd "$checkout"
export PYTHONPATH="$checkout:$here" PYTHONDONTWRITEBYTECODE=1
exec "$python" -m pytest -q -rs -s -p no:cacheprovider "$here/test_heat.py" "$@"
