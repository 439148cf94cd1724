#!/bin/bash
# trial.sh: what edged-trial.service runs. It goes on from wherever /opt/edged/trial says that it is: so neither a
# dropped ssh session nor a power cut leaves a system between two versions.
set -uo pipefail
umask 022

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
for room in words files versions service switch; do
	# shellcheck disable=SC1090 # each is checked by itself
	. "$HERE/$room.sh"
done

go_on
