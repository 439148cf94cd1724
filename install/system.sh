# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# System: `sudo ./install.sh`, read as a list.

readonly SYSTEM_STEPS=9

install_system() {
	version_before='' id=''
	step_count=$SYSTEM_STEPS
	step "This machine"
	note "$(release PRETTY_NAME), $(uname -m), systemd $(systemd_version)"
	[ -n "$dry" ] || only_one
	finish_earlier_trial
	step "Debian packages"
	system_packages
	step "Version"
	choose_version
	step "Python environment and system files of this version"
	if [ -n "$id" ]; then make_version; fi
	step "User and folders"
	make_account
	step "Config"
	place_config
	step "Key"
	make_key
	step "Service"
	serve
	step "Tidying up"
	tidy_up
	conclude
}

# Before the first change: each is written down. What pip downloads is kept until all is installed, for a run after one that was
# cut off, and not in root's home, where it would stay.
begin_list() {
	mkdir -p "$HOME_OF_EDGED"
	[ -n "$(listed "folder $HOME_OF_EDGED\$")" ] || changed folder "$HOME_OF_EDGED"
	export PIP_CACHE_DIR=${PIP_CACHE_DIR:-$HOME_OF_EDGED/cache}
}

# What a power cut, or a run that was stopped, has left: it is brought to its end before anything else.
finish_earlier_trial() {
	[ -e "$TRIAL" ] || return 0
	would "finish the switch between versions that was interrupted" && return
	note "a switch between versions was interrupted: it is brought to its end first"
	await_trial
	note "${verdict#* * }"
}

serve() {
	[ -n "$id" ] || { would "switch to it, and judge it for a minute" && return; }
	version_before=$(current)
	if [ "$version_before" != "$id" ]; then
		switch_version
	elif [ -n "$(outdated "$id")" ]; then
		mend
	elif is_active; then
		note "$SERVICE is at work with version $id"
	else
		bring_up
	fi
}

switch_version() {
	would "stop $SERVICE, switch${version_before:+ from $version_before} to $id, start it, and judge it for a minute" && return
	if [ -n "$version_before" ]; then
		note "from $version_before to $id"
	fi
	begin_trial
	await_trial
	[ "${verdict%% *}" = good ] || say_bad
	note "${verdict#good * }"
}

# The machinery first: it is what edged-trial.service runs. From its start on, this process only watches.
begin_trial() {
	local store
	store=$(store_to_copy)
	[ -z "$store" ] || check_store "$store"
	point "$HOME_OF_EDGED/installer" "versions/$id/share/edged"
	local unit=/usr/local/lib/systemd/system/edged-trial.service
	folder "$(dirname "$unit")"
	same "$(tree_of "$id")$unit" "$unit" || { changed file "$unit" && put "$unit" 644 <"$(tree_of "$id")$unit"; }
	systemctl daemon-reload
	enable edged-trial.service
	rm -f "$VERDICT_FILE"
	read_trial || true
	write_trial before="$version_before" after="$id" phase=begin wanted="$(wanted)" store="$store" ran="$(ran_before)"
}

enable() { # enable UNIT
	systemctl --quiet is-enabled "$1" 2>/dev/null && return
	changed enabled "$1"
	systemctl --quiet enable "$1"
}

wanted() {
	if [ -z "$version_before" ] || is_wanted; then echo yes; else echo no; fi
}

# Those that ran, as far as the config still wants them.
ran_before() {
	[ -n "$version_before" ] && is_active || return 0
	comm -12 <(ask_status "$version_before" | tail -n +2 | LC_ALL=C sort) <(ask_config "$version_before" | tail -n +2 | LC_ALL=C sort) | tr '\n' ' '
}

store_to_copy() {
	[ -n "$version_before" ] && [ "$(schema_of "$version_before")" != "$(schema_of "$id")" ] || return 0
	ask_config "$id" | head -n 1
}

# Whether its copy can be what going back needs.
check_store() { # check_store STORE
	[ -e "$1" ] || return 0
	[ ! -e "$CREDENTIALS/next" ] || fail "the key of the store is being exchanged, and this version brings another store." \
		"finish that first: sudo edged keys rotate"
	local needed free
	needed=$(($(cat "$1" "$1-wal" 2>/dev/null | wc -c) + 16777216))
	free=$(df --output=avail -B 1 "$(dirname "$1")" | tail -n 1)
	[ "$free" -ge "$needed" ] || fail "$(dirname "$1") has $(megabytes "$free") free; the copy of the store that going back needs takes $(megabytes "$needed")." \
		"make room, then run this again."
}

await_trial() { # sets verdict
	local phase='' now waiter
	systemctl start edged-trial.service 9<&- &
	waiter=$!
	while kill -0 "$waiter" 2>/dev/null; do
		now=$(sed -n 's/^phase=//p' "$TRIAL" 2>/dev/null || true)
		[ "$now" = "$phase" ] || [ -z "$now" ] || say_phase "$now"
		phase=${now:-$phase}
		sleep 0.2
	done
	wait "$waiter" || true
	[ ! -e "$TRIAL" ] || fail "edged-trial.service ended before it was done." "see: journalctl -u edged-trial.service" "then run this again."
	verdict=$(cat "$VERDICT_FILE")
}

say_phase() { # say_phase PHASE
	case $1 in
	begin) [ -z "$version_before" ] || note "stopping the version before" ;;
	copied) note "putting the system files in place" ;;
	judging) note "starting $SERVICE; it has $JUDGED_FOR s to become healthy" ;;
	back) note "not healthy: going back" ;;
	esac
}

say_bad() {
	if [ -n "$version_before" ]; then
		prune
		write_manifest
		fail "version $id is not healthy (${verdict#bad * }): rolled back to $version_before; the config and what was counted before are as they were." \
			"what it said: journalctl -u edged.service -u edged-trial.service --since -5min"
	fi
	fail "edged is installed, but it does not run: ${verdict#bad * }." "what it said: journalctl -u edged.service" \
		"mend that (sudoedit $CONFIG), then run this again."
}

# Files of this version that somebody changed or removed.
mend() {
	would "put these system files back: $(outdated "$id" | tr '\n' ' ')" && return
	note "putting back: $(outdated "$id" | tr '\n' ' ')"
	deploy "$id"
	take_notice
	! is_active || systemctl restart "$SERVICE"
}

bring_up() {
	if [ -e "$HOME_OF_EDGED/manifest" ] && ! is_wanted; then
		note "$SERVICE was stopped and disabled by its owner: left so (sudo systemctl enable --now edged)"
		return
	fi
	would "start $SERVICE" && return
	systemctl reset-failed "$SERVICE" 2>/dev/null || true
	systemctl start "$SERVICE" || fail "$SERVICE does not start." "what it said: journalctl -u edged.service"
	note "started $SERVICE"
}

tidy_up() {
	if [ -z "$dry" ]; then
		[ -e "$HOME_OF_EDGED/manifest" ] || enable "$SERVICE"
	fi
	if [ -n "$id" ]; then tell_new_default; fi
	prune
	[ -n "$dry" ] || rm -rf "$HOME_OF_EDGED/cache"
}

conclude() {
	printf '\n'
	if [ -n "$dry" ]; then
		[ ${#changes[@]} -gt 0 ] || note "nothing would change"
		return
	fi
	if [ ! -s "$HOME_OF_EDGED/manifest.part" ]; then
		echo "Nothing was to be done: version $id is installed and unchanged."
		return
	fi
	echo "Changed:"
	awk '!seen[$0]++ { print "  " $0 }' "$HOME_OF_EDGED/manifest.part"
	write_manifest
	[ -n "${version_before:-}" ] || say_next
}

# What is there because of us: the lines of all runs in their order; what was removed takes its line with it.
write_manifest() {
	{ cat "$LEFT" "$HOME_OF_EDGED/manifest" "$HOME_OF_EDGED/manifest.part" 2>/dev/null || true; } | awk '
		{ which = substr($0, index($0, " ") + 1) }
		$1 == "removed" { delete line[which]; next }
		{ if (!(which in place)) { place[which] = ++n; name[n] = which } line[which] = $0 }
		END { for (i = 1; i <= n; i++) if (name[i] in line) print line[name[i]] }' | put "$HOME_OF_EDGED/manifest" 644
	rm -f "$HOME_OF_EDGED/manifest.part" "$LEFT"
}

say_next() {
	printf '\nedged is installed and at work. What to do next:\n'
	next_step "sudoedit $CONFIG" "say what it watches. The default is /dev/video0: where there is none it waits, and says so"
	next_step "sudo systemctl reload edged" "make that count; what is wrong in it is told, and the old one stays"
	next_step "sudo edged status" "what it does now"
	next_step "sudo edged keys export --help" "a copy of the key for elsewhere: without one a dead board is lost data"
	next_step "sudo usermod -aG edged ${SUDO_USER:-NAME}" "read status and reports without sudo, from the next login on"
}

next_step() { printf '  %s\n      %s\n' "$1" "$2"; } # next_step COMMAND WHY
