# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# Uninstall: everything but the data; --purge takes that too. What is not there any more is no failure, so that one
# that was cut off can be done again.

remove() { # as $job says: uninstall or purge
	step_count=3
	[ "$job" = uninstall ] || step_count=4
	step "This machine"
	[ -n "$dry" ] || only_one
	is_anything_here || { note "nothing of edged's is installed here" && return; }
	[ "$job" = uninstall ] || confirm_purge
	find_store_elsewhere
	mapfile -t groups_made < <(listed 'group ' | cut -d' ' -f2-)
	mapfile -t packages_left < <(listed 'package ' | cut -d' ' -f2- | while IFS= read -r one; do ! is_installed "$one" || echo "$one"; done)
	step "Service"
	stop_for_good
	step "Files of the system, versions"
	remove_system
	if [ "$job" = purge ]; then
		step "Config, key, data, user"
		remove_data
	fi
	list_removed
}

is_anything_here() {
	[ -e "$HOME_OF_EDGED" ] || [ -e "/usr/local/lib/systemd/system/$SERVICE" ] ||
		{ [ "$job" = purge ] && { [ -e /etc/edged ] || [ -e /var/lib/edged ] || getent passwd edged >/dev/null; }; }
}

confirm_purge() {
	[ -z "$dry" ] && [ "$yes" = 0 ] || return 0
	[ -t 0 ] || fail "--purge removes everything that was counted, and there is no terminal to ask on." "to do it all the same: --purge --yes"
	local word
	printf 'This removes the config, the key and everything that was counted, for ever.\nType "purge" to do it: '
	read -r word || true
	[ "$word" = purge ] || fail "nothing was removed."
}

# An owner may have put the store on another disk. What lies outside of edged's own folders is not removed, but named.
find_store_elsewhere() {
	elsewhere=$(ask_config "$(current)" 2>/dev/null | head -n 1 || true)
	[[ $elsewhere != /var/lib/edged/* ]] || elsewhere=''
}

# Of all versions: which of them had been put in place when a run was cut off is not known.
files_of_all() {
	local one
	for one in "$VERSIONS"/*; do
		files_of "$(basename "$one")"
	done | LC_ALL=C sort -u
}

stop_for_good() {
	local unit
	for unit in edged-trial.service "$SERVICE"; do
		systemctl cat "$unit" >/dev/null 2>&1 || continue
		would "stop and disable $unit" && continue
		systemctl stop "$unit"
		systemctl --quiet disable "$unit"
		changed disabled "$unit"
	done
}

remove_system() {
	[ -n "$dry" ] || remember_left
	local file emptied
	mapfile -t emptied < <(listed 'folder ' | cut -d' ' -f2- | sort -r)
	while IFS= read -r file; do
		remove_one "$file"
	done < <(files_of_all)
	if [ -z "$dry" ]; then
		systemctl daemon-reload
		systemctl reset-failed "$SERVICE" 2>/dev/null || true
		journalctl --update-catalog
		remove_empty "${emptied[@]}"
	fi
	# Last: in it is written what there is to remove.
	remove_one "$HOME_OF_EDGED"
}

remove_one() { # remove_one FILE
	[ -e "$1" ] || [ -L "$1" ] || return 0
	would "remove $1" && return
	changed removed "$1"
	rm -rf "$1"
}

# Folders that were not there before us, where nobody has put anything since. Deepest first.
remove_empty() { # remove_empty FOLDER...
	local one
	for one; do
		case $one in "$HOME_OF_EDGED"* | /etc/edged* | /var/lib/edged*) continue ;; esac
		[ ! -d "$one" ] || rmdir "$one" 2>/dev/null || true
	done
}

remove_data() {
	remove_one /etc/edged
	remove_one /var/lib/edged
	if getent passwd edged >/dev/null && ! would "remove the user and group edged"; then
		userdel edged
		! getent group edged >/dev/null || groupdel edged
		changed removed "user edged"
	fi
	remove_groups "${groups_made[@]}"
}

# Of those that came with the user, such as apex: where nobody else is in them.
remove_groups() { # remove_groups GROUP...
	local one found
	for one; do
		found=$(getent group "$one" || true)
		# name:password:number:members
		[[ -n $found && $found == *: ]] || continue
		would "remove the group $one" && continue
		quietly groupdel "$one" && changed removed "group $one"
	done
}

# What --uninstall leaves goes on being listed: a later --purge or installation has to know where it came from.
remember_left() {
	[ -d /etc/edged ] || return 0
	local lines
	lines=$(listed '(user|group|key|package) |(file|folder) (/etc/edged|/var/lib/edged)')
	[ -z "$lines" ] || put "$LEFT" 600 <<<"$lines"
}

listed() { # listed PATTERN: lines of the manifest that begin so, those of what an earlier --uninstall left too
	cat "$LEFT" "$HOME_OF_EDGED/manifest" "$HOME_OF_EDGED/manifest.part" 2>/dev/null | awk -v pattern="^($1)" '$0 ~ pattern && !seen[$0]++' || true
}

list_removed() {
	printf '\n'
	if [ -z "$dry" ]; then
		echo "Changed:"
		printf '  %s\n' "${changes[@]:-nothing}"
	fi
	echo "Left:"
	if [ "$job" = uninstall ]; then
		[ ! -e /etc/edged ] || echo "  /etc/edged (config and key)"
		[ ! -e /var/lib/edged ] || echo "  /var/lib/edged (what was counted)"
		! getent passwd edged >/dev/null || echo "  the user edged"
	fi
	[ -z "$elsewhere" ] || echo "  $elsewhere (the store, where the config puts it)"
	echo "  the journal's lines of edged.service"
	[ ${#packages_left[@]} -eq 0 ] || echo "  Debian packages that came with it: ${packages_left[*]}"
	[ "$job" = purge ] || echo "  (./install.sh --purge removes the config, the key, the data and the user too)"
}
