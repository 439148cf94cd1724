#!/usr/bin/env bash
# board.sh [pytest arguments]   The life of a box on this very machine, over its own systemd: for a board that may be harmed.
# It installs edged, stops it, kills its processes, breaks its upgrades, and purges it with all that it has counted.
# What it may harm, and what it leaves out, is in ../README.md.
#
#   sudo EDGED_MAY_HARM=this-board make hardware-tests
#
# A board on which edged is installed already is left alone, unless EDGED_MAY_HARM=this-board-and-its-data.
# needs: root, systemd as PID 1, python3-venv, a network
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
checkout=$(cd -- "$here/../.." && pwd -P)

refuse() {
	printf 'board.sh: %s\n' "$1" >&2
	shift
	printf '  %s\n' "$@" >&2
	exit 1
}

may=${EDGED_MAY_HARM:-}
case $may in
this-board | this-board-and-its-data) ;;
*) refuse "this installs edged on $(hostname), kills it, breaks its upgrades, and then purges it: config, key and all that it counted." \
	"if that may be: sudo EDGED_MAY_HARM=this-board make hardware-tests" "hardware-tests/README.md says what else it does." ;;
esac
[ "$(id -u)" = 0 ] || refuse "this needs root: it installs a system service." "sudo EDGED_MAY_HARM=$may make hardware-tests"
[ -d /run/systemd/system ] || refuse "this machine was not booted with systemd." "make test-system lends one, in a container."
for path in /opt/edged /etc/edged /var/lib/edged; do
	[ ! -e "$path" ] || [ "$may" = this-board-and-its-data ] ||
		refuse "edged is on this board already: there is $path." "its config, its key and its data would be lost in the end." \
			"if that may be: sudo EDGED_MAY_HARM=this-board-and-its-data make hardware-tests"
done
if [ "$may" = this-board-and-its-data ] && [ -e /opt/edged ]; then "$checkout/install.sh" --purge --yes; fi

python=$("$checkout/hardware-tests/lab/system.sh" --environment)
cd "$checkout"
exec "$python" -m pytest -p no:cacheprovider -v --tb=short --board hardware-tests/system "$@"
