# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# Words: what install.sh says. Plain lines on stdout, what went wrong on stderr; no colour, nothing is rewritten.

step_now=0
step_count=0

step() {
	step_now=$((step_now + 1))
	printf 'install %d/%d: %s\n' "$step_now" "$step_count" "$*"
}

note() { printf '      %s\n' "$*"; }

fail() { # fail MESSAGE [HINT...]
	printf 'install.sh: %s\n' "$1" >&2
	shift
	[ $# -eq 0 ] || printf '  %s\n' "$@" >&2
	exit 1
}

misused() { # misused MESSAGE: the command line is wrong
	printf 'install.sh: %s\n' "$1" >&2
	printf '  ./install.sh --help says what there is.\n' >&2
	exit 2
}

quietly() { # quietly COMMAND...: what it says is shown only when it fails
	local said status=0
	said=$(mktemp)
	"$@" >"$said" 2>&1 || status=$?
	[ "$status" -eq 0 ] || cat "$said" >&2
	rm -f "$said"
	return "$status"
}

# ---- what would be done, and what was ------------------------------------------------------------------------------

dry=
changes=()

# The one switch of --dry-run: every function that changes something asks this first, with what it is about to do.
would() { # would TEXT...: succeeds, and says so, when nothing may be changed
	[ -n "$dry" ] || return 1
	note "would $*"
	changes+=("$*")
}

# A change is noted before it is made, on the disk: what a run that was cut off has changed is then in the list of the
# next, which makes the change if that was not done.
changed() { # changed WHAT WHICH, such as: changed file /etc/edged/edged.toml
	changes+=("$*")
	[ ! -d "$HOME_OF_EDGED" ] || printf '%s\n' "$*" >>"$HOME_OF_EDGED/manifest.part"
}

megabytes() { echo "$((($1 + 1048575) / 1048576)) MB"; } # megabytes BYTES
