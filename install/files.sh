# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# Files: each is written beside, brought to the disk and renamed, so that a power cut leaves the old or the new one.

readonly HOME_OF_EDGED=/opt/edged
readonly VERSIONS=$HOME_OF_EDGED/versions
readonly LEFT=/etc/edged/.left # what --uninstall left, as in the manifest
readonly CURRENT=$HOME_OF_EDGED/current

put() { # put FILE MODE [OWNER:GROUP] <CONTENT: whole, on the disk, and named, or not there at all
	local beside=$1.edged-part
	rm -f "$beside"
	(umask 077 && cat >"$beside") || return
	chown "${3:-root:root}" "$beside" && chmod "$2" "$beside" && sync "$beside" && mv -fT "$beside" "$1" &&
		sync "$(dirname "$1")"
}

point() { # point LINK TARGET: ln -sf would be without either for a moment
	local beside=$1.edged-part
	[ "$(readlink "$1" 2>/dev/null)" != "$2" ] || return 0
	ln -sfn "$2" "$beside" && mv -fT "$beside" "$1" && sync "$(dirname "$1")"
}

folder() { # folder FOLDER: with its parents, each noted, so that --uninstall can remove those that were not there
	[ ! -d "$1" ] || return 0
	folder "$(dirname "$1")" && changed folder "$1" && mkdir -m 755 "$1"
}

same() { # same FILE OTHER: the same content and mode, or the same link
	if [ -L "$1" ] || [ -L "$2" ]; then
		[ -L "$1" ] && [ -L "$2" ] && [ "$(readlink "$1")" = "$(readlink "$2")" ]
	else
		[ -f "$2" ] && cmp -s "$1" "$2" && [ "$(stat -c %a "$1")" = "$(stat -c %a "$2")" ]
	fi
}

# ---- a version's tree of system files -----------------------------------------------------------------------------

tree_of() { echo "$VERSIONS/$1/share/edged/root"; } # tree_of ID

files_of() { # files_of ID: every file of its tree, as it is named below /
	local tree
	tree=$(tree_of "$1")
	[ ! -d "$tree" ] || find "$tree" \( -type f -o -type l \) -printf '/%P\n' | LC_ALL=C sort
}

outdated() { # outdated ID: those of its files that are not in place, or not as they should be
	local tree file
	tree=$(tree_of "$1")
	files_of "$1" | while IFS= read -r file; do
		same "$tree$file" "$file" || echo "$file"
	done
}

deploy() { # deploy ID: its system files in place
	local tree file
	tree=$(tree_of "$1")
	while IFS= read -r file; do
		folder "$(dirname "$file")" && changed file "$file" && place "$tree$file" "$file" || return
	done < <(outdated "$1")
}

place() { # place SOURCE FILE
	local mode
	if [ -L "$1" ]; then
		point "$2" "$(readlink "$1")"
	else
		mode=$(stat -c %a "$1") && put "$2" "$mode" <"$1"
	fi
}

withdraw() { # withdraw ID [OTHER]: remove its system files, but those that OTHER has too
	local file
	while IFS= read -r file; do
		[ -e "$file" ] || [ -L "$file" ] || continue
		changed removed "$file"
		rm -f "$file" || return
	done < <(LC_ALL=C comm -23 <(files_of "$1") <(files_of "${2:-}"))
}
