#!/bin/sh
# heat.sh [pytest arguments]   Heat this very board by work on all cores, and hold what edged reads of it against what it does. Some ten
# minutes. EDGED_MAY_HEAT=this-board says that it may; EDGED_CAP (°C, 5 below the board's limit unless said) is where the work pauses,
# EDGED_ABORT (the limit) where it ends at once.
# needs: a checkout with ./install.sh --test done, or another Python with pytest in EDGED_PYTHON
set -eu
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
if [ "${EDGED_MAY_HEAT:-}" != this-board ]; then
  echo "heat.sh: this makes $(hostname) as hot as its cap allows, for ten minutes." >&2
  echo "  if that may be: EDGED_MAY_HEAT=this-board make test-heat" >&2
  exit 1
fi
cd "$checkout"
export PYTHONPATH="$checkout:$here" PYTHONDONTWRITEBYTECODE=1
exec "${EDGED_PYTHON:-$checkout/.venv/bin/python}" -m pytest -q -rs -s -p no:cacheprovider "$here/test_heat.py" "$@"
