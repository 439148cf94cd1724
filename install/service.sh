# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# Service: edged.service as systemd and edged itself tell of it.

readonly SERVICE=edged.service
readonly CONFIG=/etc/edged/edged.toml

property() { systemctl show --value --property "$1" "$SERVICE" 2>/dev/null; } # property NAME

is_active() { systemctl --quiet is-active "$SERVICE"; }

# Whether the owner wants it to run: what is neither enabled nor at work was stopped on purpose.
is_wanted() { systemctl --quiet is-enabled "$SERVICE" 2>/dev/null || is_active; }

edged_of() { "$VERSIONS/$1/bin/edged" "${@:2}"; } # edged_of ID ARGUMENT...

# Of the status: the version, then the names of the pipelines that run, are paused or came to their end.
readonly AT_WORK='
import json, sys
status = json.load(sys.stdin)
print(status["version"])
for one in status["pipelines"]:
    if one["state"] in ("running", "paused", "ended"):
        print(one["name"])'

ask_status() { # ask_status ID: lines as above; fails when the daemon does not answer
	timeout 10 "$VERSIONS/$1/bin/edged" status --json --config "$CONFIG" 2>/dev/null | "$SYSTEM_PYTHON" -I -c "$AT_WORK" 2>/dev/null
}

# Of the config: the store's file, then the names of the enabled pipelines.
readonly NAMED='
import sys
from pathlib import Path
from edged.config.loading import load
config = load(Path(sys.argv[1]))
print(config.store.file)
for name, one in config.pipelines.items():
    if one.enabled:
        print(name)'

ask_config() { # ask_config ID: lines as above; fails when that version does not accept the config
	"$VERSIONS/$1/bin/python" -I -c "$NAMED" "$CONFIG" 2>/dev/null
}

schema_of() { # schema_of ID: of the store that this version makes; nothing when it cannot be told
	edged_of "$1" version --json 2>/dev/null | "$SYSTEM_PYTHON" -I -c 'import json, sys; print(json.load(sys.stdin)["schema"])' 2>/dev/null
}

version_of_id() { echo "${1%-*}"; } # version_of_id ID

start_service() {
	systemctl reset-failed "$SERVICE" 2>/dev/null
	systemctl start --no-block "$SERVICE"
}

# After new files: units, the journal's catalogue, the user and the folders.
take_notice() {
	systemctl daemon-reload && systemd-sysusers /usr/local/lib/sysusers.d/edged.conf &&
		systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/edged.conf && journalctl --update-catalog
}
