# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# Settings: the user and the folders, the owner's config, the key.

make_account() {
	local tree
	tree=$(tree_of "$id")
	if getent passwd edged >/dev/null && [ -d /etc/edged/credentials ] && [ -d /var/lib/edged/models ]; then
		note "the user edged and its folders are there"
		return
	fi
	would "make the system user and group edged, /etc/edged and /var/lib/edged" && return
	note_account "$tree/usr/local/lib/sysusers.d/edged.conf"
	quietly systemd-sysusers "$tree/usr/local/lib/sysusers.d/edged.conf"
	systemd-tmpfiles --create "$tree/usr/local/lib/tmpfiles.d/edged.conf"
	note "the user edged, its groups, /etc/edged and /var/lib/edged"
}

note_account() { # note_account SYSUSERS
	local one
	getent passwd edged >/dev/null || changed user edged
	# "m edged GROUP" makes a group that is not there.
	awk '$1 == "m" { print $3 }' "$1" | while IFS= read -r one; do
		getent group "$one" >/dev/null || changed group "$one"
	done
	for one in /etc/edged /etc/edged/credentials /var/lib/edged /var/lib/edged/models; do
		[ -d "$one" ] || changed folder "$one"
	done
}

# The config is the owner's from the moment it is there. A default that changed with the version lands beside it.
place_config() {
	local default
	[ -n "$id" ] || return 0
	default=$VERSIONS/$id/share/edged/edged.toml
	if [ ! -e "$CONFIG" ]; then
		would "write the default config $CONFIG" && return
		changed file "$CONFIG"
		put "$CONFIG" 640 root:edged <"$default"
		note "$CONFIG is the default: it watches /dev/video0"
	else
		note "$CONFIG is the owner's: left as it is"
	fi
}

# After the trial, so that a version that is rolled back leaves nothing beside the config. Which default the owner
# has been given or told of is kept: one that was told of and removed does not come again.
tell_new_default() {
	local default=$VERSIONS/$id/share/edged/edged.toml told=$HOME_OF_EDGED/default now
	[ -e "$default" ] || return 0 # --dry-run: it has not been made
	now=$(sha256sum <"$default" | cut -d' ' -f1)
	[ "$(cat "$told" 2>/dev/null)" != "$now" ] || return 0
	if ! cmp -s "$default" "$CONFIG"; then
		would "write the new default config beside the owner's: $CONFIG.new" && return
		changed file "$CONFIG.new"
		put "$CONFIG.new" 640 root:edged <"$default"
		note "the default config has changed; it is beside yours: diff $CONFIG $CONFIG.new"
	fi
	[ -n "$dry" ] || echo "$now" | put "$told" 644
}

readonly KEY=$CREDENTIALS/key

# A key that is there is left alone, whatever the config says by now.
make_key() {
	if [ -e "$KEY" ]; then
		note "the key is there: $KEY"
		return
	fi
	would "make the key that encrypts the store: $KEY" && return
	local said
	# An owner whose config names a file of theirs has the key there.
	grep -qE '^[[:space:]]*key_file' "$CONFIG" || changed key "$KEY"
	said=$("$VERSIONS/$id/bin/edged" keys init --if-absent --config "$CONFIG" 2>&1) || {
		printf '%s\n' "$said" >&2
		fail "the key could not be made; why stands above."
	}
	note "${said%%$'\n'*}"
}
