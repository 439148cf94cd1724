# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# Settings: the user and the folders, the owner's config, the key.

make_account() {
	local tree
	tree=$(tree_of "$id")
	if getent passwd edged >/dev/null && [ -d /etc/edged/credentials ] && [ -d /var/lib/edged/models ]; then
		note "the user edged and the folders are there"
		return
	fi
	would "make the system user and group edged, /etc/edged and /var/lib/edged" && return
	getent passwd edged >/dev/null || changed user edged
	quietly systemd-sysusers "$tree/usr/local/lib/sysusers.d/edged.conf"
	for one in /etc/edged /etc/edged/credentials /var/lib/edged /var/lib/edged/models; do
		[ -d "$one" ] || changed folder "$one"
	done
	systemd-tmpfiles --create "$tree/usr/local/lib/tmpfiles.d/edged.conf"
}

# The config is the owner's from the moment it is there. A default that changed with the version lands beside it.
place_config() {
	local default
	[ -n "$id" ] || return 0
	default=$VERSIONS/$id/share/edged/edged.toml
	if [ ! -e "$CONFIG" ]; then
		would "write the default config $CONFIG" && return
		put "$CONFIG" 640 root:edged <"$default"
		changed file "$CONFIG"
		note "$CONFIG is the default: it watches /dev/video0"
	else
		note "$CONFIG is the owner's: left as it is"
	fi
}

# After the trial: what is rolled back leaves nothing beside the config.
place_new_default() { # place_new_default BEFORE
	local default=$VERSIONS/$id/share/edged/edged.toml old=$VERSIONS/$1/share/edged/edged.toml
	cmp -s "$default" "$CONFIG" && return
	[ -n "$1" ] && [ -e "$old" ] && cmp -s "$default" "$old" && return
	cmp -s "$default" "$CONFIG.new" && return
	would "write the new default config beside the owner's: $CONFIG.new" && return
	put "$CONFIG.new" 640 root:edged <"$default"
	changed file "$CONFIG.new"
	note "the default config has changed: it is in $CONFIG.new, for comparing (diff $CONFIG $CONFIG.new)"
}

readonly KEY=/etc/edged/credentials/key

make_key() {
	[ ! -e "$KEY" ] || { note "the key is there: $KEY" && return; }
	would "make the key that encrypts the store: $KEY" && return
	# Until every version knows --if-absent: the key as a file of the service's user.
	if "$VERSIONS/$id/bin/edged" keys init --help | grep -q -- --if-absent; then
		quietly "$VERSIONS/$id/bin/edged" keys init --if-absent --config "$CONFIG" || fail "the key could not be made; why stands above."
	elif [ ! -e /var/lib/edged/key ]; then
		quietly setpriv --reuid edged --regid edged --init-groups -- "$VERSIONS/$id/bin/edged" keys init --config "$CONFIG"
	fi
	[ ! -e "$KEY" ] || changed key "$KEY"
	note "made the key that encrypts the store, itself encrypted for this machine: $KEY"
}
