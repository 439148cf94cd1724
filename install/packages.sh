# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# Packages: Debian's, for the checkout (as whoever runs it, by sudo) and for the system (as root).

# What is missing is found by trying the thing itself, not by asking for a package: a Python of another origin,
# or clang for cc, is as good.
has() {
	case $1 in
	python3) [ -n "$(find_python)" ] ;;
	python3-venv) [ -z "$(find_python)" ] || ! old_enough "$(find_python)" || "$(find_python)" -c 'import ensurepip, venv' 2>/dev/null ;;
	ca-certificates) [ -s "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" ] ;;
	tzdata) [ -e /usr/share/zoneinfo/Europe/Berlin ] ;;
	gcc) command -v cc >/dev/null ;;
	shellcheck) command -v shellcheck >/dev/null ;;
	libc6-dev) [ -e /usr/include/stdio.h ] ;;
	esac
}

need_packages() { # need_packages PACKAGE...
	local missing=() package
	for package; do
		has "$package" || missing+=("$package")
	done
	# Debian's Python comes without the module that makes environments.
	if [[ " ${missing[*]} " == *" python3 "* && " ${missing[*]} " != *" python3-venv "* ]]; then
		missing+=(python3-venv)
	fi
	if [ ${#missing[@]} -eq 0 ]; then
		note "all there: $*"
		return
	fi
	note "missing: ${missing[*]}"
	install_packages "${missing[@]}"
	for package in "${missing[@]}"; do
		has "$package" || fail "$package was installed, but what it should bring is still missing."
	done
}

install_packages() {
	local command="apt-get install --yes --no-install-recommends $*"
	command -v apt-get >/dev/null || fail "these are missing, and there is no apt-get to install them: $*" \
		"install what your system calls them, then run this again."
	local root=()
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || cannot_install "you are not root and there is no sudo" "$command"
		root=(sudo)
		# Without a terminal nobody could answer its question for a password.
		[ -t 0 ] || root+=(-n)
		note "sudo is asked for leave to install them"
		"${root[@]}" true || cannot_install "sudo refused" "$command"
	fi
	local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --quiet -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
	local fetch=("${apt[@]}" install --yes --no-install-recommends "$@")
	if apt-cache show "$@" >/dev/null 2>&1; then
		note "apt-get install $*"
		quietly "${fetch[@]}" 2>/dev/null && return
		note "that failed: once more with fresh lists of packages"
	fi
	note "apt-get update"
	quietly "${apt[@]}" update || fail "apt-get update failed; what it says stands above." "is there a network?"
	note "apt-get install $*"
	quietly "${fetch[@]}" || fail "these packages could not be installed: $*" "what apt-get says stands above."
}

cannot_install() { # cannot_install REASON COMMAND
	fail "Debian packages are missing, and $1." "As root, run:" "    apt-get update && $2" "then run this again."
}

# ---- for the system ------------------------------------------------------------------------------------------------

readonly SYSTEM_PACKAGES=(python3 python3-venv python3-systemd tzdata ca-certificates)

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Without the caches that apt-cache would write as root: asking changes nothing.
is_offered() {
	apt-cache -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= policy "$1" 2>/dev/null | grep '^  Candidate: [^(]' >/dev/null
}

not_installed() { # not_installed PACKAGE...
	local package
	for package; do
		is_installed "$package" || echo "$package"
	done
}

system_packages() {
	local missing
	mapfile -t missing < <(not_installed "${SYSTEM_PACKAGES[@]}")
	if [ -n "$offline" ]; then
		[ ${#missing[@]} -eq 0 ] || fail "with --offline, Debian's packages must be there already; missing: ${missing[*]}" \
			"install them where there is a network: sudo apt-get install ${missing[*]}"
	else
		mend_dpkg
		# Without lists nothing is offered, not even what is wanted where it is there.
		if [ ${#missing[@]} -gt 0 ] || ! has_lists; then fresh_lists; fi
	fi
	[ -n "$offline" ] || mapfile -t -O ${#missing[@]} missing < <(extra_packages)
	if [ ${#missing[@]} -eq 0 ]; then
		note "all there: ${SYSTEM_PACKAGES[*]}"
	elif ! would "install these Debian packages: ${missing[*]}"; then
		note "missing: ${missing[*]}"
		begin_list
		note_packages "${missing[@]}"
		install_packages "${missing[@]}"
	fi
	say_camera
	say_coral
}

note_packages() {
	local package
	for package; do
		changed package "$package"
	done
}

has_lists() { [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -print -quit 2>/dev/null)" ]; }

fresh_lists() {
	would "fetch fresh lists of packages (apt-get update)" && return
	note "apt-get update"
	quietly env DEBIAN_FRONTEND=noninteractive apt-get --quiet update || fail "apt-get update failed; what it says stands above." \
		"is there a network? Without one: ./install.sh --help, --offline"
}

# A power cut while packages were being unpacked leaves dpkg where it refuses everything else.
mend_dpkg() {
	[ -n "$(dpkg --audit 2>/dev/null)" ] || return 0
	would "finish the installation of packages that was interrupted (dpkg --configure -a)" && return
	note "finishing an installation of packages that was interrupted"
	quietly env DEBIAN_FRONTEND=noninteractive dpkg --configure -a || fail "dpkg --configure -a failed; what it says stands above."
}

# What only some systems have: Raspberry Pi OS its camera's library, a system with Coral's repository its own.
extra_packages() {
	is_installed python3-picamera2 || ! is_offered python3-picamera2 || echo python3-picamera2
	has_edgetpu || ! is_offered libedgetpu1-std || echo libedgetpu1-std
}

say_coral() {
	! has_edgetpu || at_least "$(python_version)" "$NEWEST_FOR_TFLITE_RUNTIME" ||
		note "a Coral's library is here, but tflite-runtime, which drives it, was never built for Python $(python_version): models run on the CPU"
}

has_edgetpu() { ldconfig -p 2>/dev/null | grep 'libedgetpu\.so\.1' >/dev/null; }

say_camera() {
	is_installed python3-picamera2 || is_offered python3-picamera2 ||
		note "python3-picamera2 is not in this distribution: USB cameras work, those on a camera connector need Raspberry Pi OS"
}
