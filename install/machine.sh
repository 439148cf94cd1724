# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# Machine: what a system must be before anything on it is changed. What was found is named.

readonly NEEDED_MB=600 # for a new version beside the old, with pip's downloads; measured: docs/adr/0013

release() { # release KEY: from os-release, which holds shell assignments that are not to be run
	sed -n "s/^$1=//p" /etc/os-release 2>/dev/null | tail -n 1 | tr -d \''"'
}

check_system() {
	check_architecture
	check_distribution
	check_systemd
}

check_architecture() {
	local hint="on a Raspberry Pi 3 or newer, use the 64-bit Raspberry Pi OS."
	case $(uname -m) in
	x86_64 | aarch64) ;;
	*) fail "this machine is $(uname -m); edged runs on 64-bit Arm (aarch64) and x86 (x86_64)." "$hint" ;;
	esac
	[ "$(getconf LONG_BIT)" = 64 ] || fail "this system is 32-bit on a 64-bit processor ($(uname -m))." "$hint"
}

check_distribution() {
	local found
	found=$(release PRETTY_NAME)
	[ "$(release ID)" = debian ] || not_this_system "${found:-something without /etc/os-release}"
	case $(release VERSION_ID) in
	12 | 13) ;;
	*) not_this_system "${found:-a Debian without a version}" ;;
	esac
}

not_this_system() { # not_this_system FOUND
	fail "this system is $1; install.sh installs on Raspberry Pi OS and Debian, 12 and 13." \
		"elsewhere, ./install.sh --demo runs edged inside this checkout."
}

check_systemd() {
	local first
	first=$(cat /proc/1/comm 2>/dev/null || echo unknown)
	[ -d /run/systemd/system ] || fail "this system was not booted with systemd (process 1 is $first), which edged.service needs." \
		"in a container without systemd: ./install.sh --demo runs edged inside this checkout."
	command -v systemctl >/dev/null || fail "systemctl is not there, though the system was booted with systemd."
}

check_root() { # check_root ARGUMENT...: those of this run, to say what to type
	[ "$(id -u)" -eq 0 ] || fail "this needs root: it installs a system service." \
		"run: sudo $(printf '%q ' "$CHECKOUT/install.sh" "$@")"
}

check_room() {
	local free
	free=$(($(df --output=avail -B 1M /opt | tail -n 1)))
	[ "$free" -ge "$NEEDED_MB" ] || fail "/opt has $free MB free; a version with its Python packages needs $NEEDED_MB MB while it is installed." \
		"make room (sudo apt-get clean; journalctl --vacuum-size=50M), then run this again."
}

systemd_version() { systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p'; }

# One at a time. The lock is on a folder that every Debian has, so it leaves nothing behind; what was started by a
# run that was killed (apt-get, pip) holds it until that is done.
only_one() {
	exec 9</opt
	flock -n 9 && return
	note "another install.sh, or what one that was stopped had started, is at work: waiting for it"
	flock -w 900 9 || fail "it is still at work after 15 minutes." "see: ps -ef | grep install.sh"
}
