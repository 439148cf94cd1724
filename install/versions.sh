# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# Versions: /opt/edged/versions/<id>, each a Python environment with its system files. One that is complete is
# never changed; one that is not is made anew.

readonly SYSTEM_PYTHON=/usr/bin/python3

current() { basename "$(readlink "$CURRENT" 2>/dev/null)" 2>/dev/null || true; }

before() { basename "$(readlink "$HOME_OF_EDGED/before" 2>/dev/null)" 2>/dev/null || true; }

complete() { [ -n "$1" ] && [ -e "$VERSIONS/$1/complete" ]; } # complete ID

python_version() { "$SYSTEM_PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

# ---- which ---------------------------------------------------------------------------------------------------------

choose_version() { # sets id, wheel, constraints, and source where it is built from this checkout
	constraints=$CHECKOUT/constraints.txt source='' pip_from=()
	[ -z "$offline" ] || pip_from=(--no-index --find-links "$offline")
	if [ -n "$offline" ] && ! can_build_from "$offline"; then
		choose_collected
	else
		choose_checkout
	fi
	[ -n "$id" ] || return 0
	if complete "$id"; then note "version $id, which is here already"; else note "version $id"; fi
}

# A folder with what it takes to build a wheel, but without edged's own, is meant for this checkout.
can_build_from() { # can_build_from FOLDER
	[ -e "$CHECKOUT/pyproject.toml" ] && [ -n "$(find "$1" -maxdepth 1 -name 'hatchling-*.whl')" ] &&
		[ -z "$(find "$1" -maxdepth 1 -name 'edged-*.whl')" ]
}

choose_collected() {
	local found=("$offline"/edged-*.whl)
	[ -e "${found[0]}" ] || fail "$offline holds no wheel of edged itself (edged-*.whl)." "fill it: ./install.sh --collect $offline"
	[ ${#found[@]} -eq 1 ] || fail "$offline holds several wheels of edged: ${found[*]##*/}" "leave the one that is meant."
	wheel=${found[0]}
	[ ! -e "$offline/constraints.txt" ] || constraints=$offline/constraints.txt
	id=$(identify)
}

# A build fetches the tools to build with. Where the checkout is what the version here was built from, none is needed.
choose_checkout() {
	local now
	[ -e "$CHECKOUT/pyproject.toml" ] || fail "$CHECKOUT holds no source to install from." \
		"run the install.sh of a checkout, or install from a folder of wheels: --offline DIR"
	now=$(current)
	source=$(digest_of_checkout)
	if complete "$now" && [ "$(cat "$VERSIONS/$now/share/edged/source" 2>/dev/null)" = "$source" ]; then
		wheel=$(wheel_in "$VERSIONS/$now/share/edged")
		id=$(identify)
	elif would "build edged's wheel from this checkout, and install it as a new version"; then
		id=''
	else
		note "building edged's wheel from this checkout"
		begin_list
		work=$(mktemp -d)
		build_wheel "$SYSTEM_PYTHON" "$work"
		wheel=$(wheel_in "$work")
		id=$(identify)
	fi
}

wheel_in() { # wheel_in FOLDER
	local found=("$1"/edged-*.whl)
	echo "${found[0]}"
}

build_wheel() { # build_wheel PYTHON FOLDER: with the tools of constraints.txt
	"$1" -m venv "$2/tools"
	# pip takes a space in this variable for the end of a path.
	cp "$constraints" "$2/constraints.txt"
	PIP_CONSTRAINT=$2/constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 quietly "$2/tools/bin/python" -m pip wheel --no-input --no-deps \
		"${pip_from[@]}" --wheel-dir "$2" "$CHECKOUT" ||
		fail "edged's wheel could not be built; what pip says stands above." "is there a network? Without one: ./install.sh --help, --offline"
}

# What goes into the wheel, and what it is built with.
digest_of_checkout() {
	local parts=() one
	for one in edged config systemd install install.sh man pyproject.toml constraints.txt README.md LICENSE; do
		[ ! -e "$CHECKOUT/$one" ] || parts+=("$one")
	done
	(cd "$CHECKOUT" && find "${parts[@]}" -name __pycache__ -prune -o -type f -print0 | LC_ALL=C sort -z |
		xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
}

# The same wheel under another Python or systemd is another version: its environment or its units are.
# A Coral is driven by tflite-runtime, which there is for Python 3.11 at most (docs/adr/0011).
extra() {
	if has_edgetpu && at_least "$(python_version)" "$NEWEST_FOR_TFLITE_RUNTIME"; then echo '[tflite-runtime]'; fi
}

identify() {
	local version
	version=$(basename "$wheel" | cut -d- -f2)
	printf '%s-%s\n' "$version" "$({
		cat "$wheel" "$constraints"
		extra
		! has_edgetpu || echo edgetpu
		python_version
		systemd_version
	} | sha256sum | cut -c1-12)"
}

# tflite-runtime needs NumPy 1 and what goes with it: the extra says which, where the constraints would forbid it.
constraints_for() { # constraints_for EXTRA
	if [ -n "$1" ]; then grep -vE '^(numpy|ml-dtypes)=' "$constraints"; else cat "$constraints"; fi
}

# ---- making --------------------------------------------------------------------------------------------------------

make_version() {
	if complete "$id"; then
		note "all there: $VERSIONS/$id"
		return
	fi
	would "make $VERSIONS/$id: a Python environment with edged and what it needs" && return
	check_room
	begin_list
	folder "$VERSIONS"
	changed version "$VERSIONS/$id"
	note "a Python environment with $("$SYSTEM_PYTHON" --version) and the system's packages in $VERSIONS/$id"
	rm -rf "${VERSIONS:?}/$id"
	# The shebangs name its final place: it is made there, and counts when it is complete.
	"$SYSTEM_PYTHON" -m venv --system-site-packages "$VERSIONS/$id"
	fetch_wheels
	keep_along
	grow_tree
	# All of it must be on the disk before it is called complete.
	sync -f "$VERSIONS/$id"
	printf '%s\n' "$id" | put "$VERSIONS/$id/complete" 644
}

# --ignore-installed: what the distribution has of the same name may leave or change; a version stands by itself.
fetch_wheels() {
	local log=$VERSIONS/$id/pip.log
	if PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore "$VERSIONS/$id/bin/python" -m pip install --no-input \
		--progress-bar off --ignore-installed --only-binary=:all: --no-compile "${pip_from[@]}" \
		-c <(constraints_for "$(extra)") "$wheel$(extra)" 2>&1 |
		tee "$log" | pip_progress; then
		# Here, where it may take its time: at the first start it would count as one that is slow.
		note "compiling"
		quietly "$VERSIONS/$id/bin/python" -m compileall -q -j 0 "$VERSIONS/$id/lib" || true
		return
	fi
	say_what_is_missing "$log"
}

say_what_is_missing() { # say_what_is_missing LOG
	local missing
	# A requirement that a constraint holds to one version counts as a conflict where that version is not there.
	missing=$(sed -n 's/^ERROR: No matching distribution found for //p; s/^ *The user requested (constraint) //p' "$1" | tail -n 1)
	if [ -n "$offline" ] && [ -n "$missing" ]; then
		fail "$offline lacks a wheel of $missing for Python $(python_version) on $(uname -m)." \
			"fill it where there is a network: ./install.sh --collect DIR --arch $(uname -m) --python $(python_version)"
	fi
	tail -n 15 "$1" >&2
	fail "the Python packages could not be installed; pip's last words stand above, all of them in $1." \
		"is there a network, and is there room on the disk? Then run this again."
}

# With a version stays what it takes to judge, to compare and to remove it without the checkout.
keep_along() {
	local share=$VERSIONS/$id/share/edged package
	package=$(echo "$VERSIONS/$id"/lib/python3.*/site-packages/edged/share)
	mkdir -p "$share"
	cp "$wheel" "$constraints" "$share"
	cp "$package/edged.toml" "$package/edged.schema.json" "$share"
	cp -r "$package/install.sh" "$package/install" "$share"
	[ -z "$source" ] || echo "$source" >"$share/source"
}

# The tree of system files as they go below /.
grow_tree() {
	local share=$VERSIONS/$id/share/edged package tree
	package=$(echo "$VERSIONS/$id"/lib/python3.*/site-packages/edged/share)
	tree=$(tree_of "$id")
	grow "$tree/usr/local/lib/systemd/system" "$package"/systemd/*.service
	grow_drop_ins "$package/systemd" "$tree/usr/local/lib/systemd/system"
	grow "$tree/usr/local/lib/systemd/catalog" "$package/systemd/edged.catalog"
	grow "$tree/usr/local/lib/sysusers.d" "$package/systemd/sysusers.d/edged.conf"
	grow "$tree/usr/local/lib/tmpfiles.d" "$package/systemd/tmpfiles.d/edged.conf"
	grow_manual "$package/man" "$tree/usr/local/share/man"
	grow_completion "$tree"
	mkdir -p "$tree/usr/local/bin" "$tree/etc/edged"
	ln -s "$CURRENT/bin/edged" "$tree/usr/local/bin/edged"
	# The first line of edged.toml names it, for editors.
	ln -s "$CURRENT/share/edged/edged.schema.json" "$tree/etc/edged/edged.schema.json"
}

grow() { # grow FOLDER FILE...
	local folder=$1
	shift
	mkdir -p "$folder"
	install -m 644 -t "$folder" "$@"
}

# edged.service.d/253-notify-reload.conf is for systemd 253 and newer: an older one would misread it. with-edgetpu.conf is for
# machines with a Coral's library.
grow_drop_ins() { # grow_drop_ins FROM TO
	local one least
	for one in "$1"/*.d/[0-9]*-*.conf; do
		[ -e "$one" ] || continue
		least=$(basename "$one" | cut -d- -f1)
		[ "$(systemd_version)" -lt "$least" ] || grow "$2/$(basename "$(dirname "$one")")" "$one"
	done
	! has_edgetpu || grow "$2/edged.service.d" "$1/edged.service.d/with-edgetpu.conf"
}

grow_manual() { # grow_manual FROM TO
	local page
	for page in "$1"/*.[1-8]; do
		[ ! -e "$page" ] || grow "$2/man${page##*.}" "$page"
	done
}

# Where each shell of Debian 12 and 13 looks: fish does not look below /usr/local.
grow_completion() { # grow_completion TREE
	local edged=$VERSIONS/$id/bin/edged share=$1/usr/local/share
	mkdir -p "$share/bash-completion/completions" "$share/zsh/site-functions" "$1/etc/fish/completions"
	"$edged" completion bash >"$share/bash-completion/completions/edged"
	"$edged" completion zsh >"$share/zsh/site-functions/_edged"
	"$edged" completion fish >"$1/etc/fish/completions/edged.fish"
}

# ---- leaving -------------------------------------------------------------------------------------------------------

# The one at work and the one before it stay; what is older, unfinished or was rolled back goes.
prune() {
	local one
	for one in "$VERSIONS"/*; do
		case $(basename "$one") in
		"$(current)" | "$(before)" | '*') continue ;;
		esac
		would "remove $one" && continue
		changed removed "$one"
		rm -f "$one/complete"
		rm -rf "$one"
	done
}
