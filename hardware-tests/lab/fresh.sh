#!/usr/bin/env bash
# fresh.sh SUITE [--as WHO] [INSTALL.SH ARGUMENTS, default --demo]
# A newcomer's first minutes: clones this checkout (what is committed) into a bare Debian SUITE (bookworm, trixie)
# that has git and nothing else, and runs ./install.sh there, without a terminal. Its exit status is the answer.
#
#   --as root     as root (default)
#   --as sudo     as a user who may use sudo without a password
#   --as sudoer   the same user, but typing sudo ./install.sh: nothing in the checkout may end up root's
#   --as user     as a user without sudo on a system that has the packages (those of --demo) already
#   --as nobody   as a user without sudo: what is missing must be said
#
# fresh.sh SUITE --service
# The same for the service: the bare Debian has systemd as well, is booted with it, has this machine's network, and
# sudo ./install.sh is run there; then once more, when it must find nothing to do. apt's and pip's downloads are kept
# between runs (COLD=1: neither used nor kept), so that a second run says how long it takes with a warm cache.
#
# ARCH=arm64 takes another architecture's Debian, where binfmt_misc runs its programs (qemu-user 10; 7.2 hangs).
#
# The bare root folder is made once and kept in ${EDGED_CACHE:-~/.cache/edged}/lab; each run works on a copy
# that is thrown away (KEEP=1 keeps it and says where). The clone's path holds a space on purpose.
# Needs root and mmdebstrap. The network's settings (resolver, certificates, apt's mirror, pip's variables that
# name no local folder) are this machine's. The checkout's environments are not copied: nothing of ours is there.
set -euo pipefail

suite=${1:?usage: fresh.sh SUITE [--as root|sudo|sudoer|user|nobody] [INSTALL.SH ARGUMENTS]}
shift
as=root
if [ "${1:-}" = --as ]; then
	as=$2
	shift 2
fi
service=
if [ "${1:-}" = --service ]; then
	service=1
	shift
elif [ $# -eq 0 ]; then
	set -- --demo
fi

checkout=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
lab=${EDGED_CACHE:-$HOME/.cache/edged}/lab
arch=${ARCH:-$(dpkg --print-architecture)}
bare=$lab/bare-$suite-$arch packages=git,ca-certificates
if [ -n "$service" ]; then
	bare=$lab/bare-systemd-$suite-$arch packages=git,ca-certificates,systemd,systemd-sysv,dbus,udev,kmod,iproute2
fi

make_bare() {
	local mirror
	mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -n 1)
	mkdir -p "$lab"
	rm -rf "$bare.part"
	mmdebstrap --quiet --skip=check/qemu --arch="$arch" --variant=minbase --mode=root --include="$packages" \
		--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		"$suite" "$bare.part" "${mirror%/}"
	mv "$bare.part" "$bare"
}

copy_network_settings() {
	cp -L /etc/resolv.conf "$root/etc/resolv.conf"
	cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
	# A snapshot mirror's dates are old; what this machine accepts, the copy must accept too.
	apt-config dump | grep -E '^Acquire::(Check-|http|https)' >"$root/etc/apt/apt.conf.d/99lab" || true
}

network_variables() {
	env | grep -E '^(PIP_(CERT|INDEX_URL|EXTRA_INDEX_URL|PROXY|RETRIES|DEFAULT_TIMEOUT)|SSL_CERT_FILE|[a-z]+_proxy|[A-Z]+_PROXY)=' || true
}

add_user() {
	chroot "$root" useradd --create-home --shell /bin/bash newcomer
	case $as in
	sudo*)
		add_packages sudo
		echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/newcomer"
		;;
	user) add_packages python3 python3-venv ;;
	esac
}

add_packages() {
	chroot "$root" sh -c 'apt-get -qq update && apt-get -qq install -y --no-install-recommends "$@"' sh "$@" >/dev/null 2>&1
	rm -rf "${root:?}"/var/lib/apt/lists/*
}

# Its own mounts, processes, and a /dev without devices; the network is this machine's.
enter() { # enter COMMAND...
	unshare --mount --pid --ipc --uts --fork --kill-child=KILL sh -c '
		root=$1; shift
		mount --make-rprivate /
		mount -t proc proc "$root/proc"
		mount -t sysfs -o ro sysfs "$root/sys"
		mount -t tmpfs -o mode=755 tmpfs "$root/dev"
		for node in null zero full random urandom tty; do
			touch "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"
		done
		mkdir -p "$root/dev/shm"; mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
		mkdir -p "$root/dev/pts"; mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
		ln -s pts/ptmx "$root/dev/ptmx"; ln -s /proc/self/fd "$root/dev/fd"
		exec chroot "$root" "$@"' sh "$root" "$@" </dev/null
}

# Real systemd, from a newcomer's first step to a service that is at work.
run_service() {
	local share=$lab/service-$suite-$arch status=0
	mkdir -p "$share/cache/apt/partial" "$share/cache/pip"
	find "$share" -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +
	git clone --quiet --no-hardlinks "$checkout" "$share/a checkout"
	root=$share/network
	mkdir -p "$root/etc/ssl/certs" "$root/etc/apt/apt.conf.d"
	copy_network_settings
	network_variables | sed "s/=/='/; s/\$/'/; s/^/export /" >"$share/variables"
	[ -n "${COLD:-}" ] || touch "$share/warm"
	cat >"$share/service.sh" <<'I'
cp -r /share/network/etc /
. /share/variables
export HOME=/root LANG=C.UTF-8
if [ -e /share/warm ]; then
	export PIP_CACHE_DIR=/share/cache/pip
	printf 'Dir::Cache::archives "/share/cache/apt";\nBinary::apt-get::APT::Keep-Downloaded-Packages "true";\n' >/etc/apt/apt.conf.d/99cache
fi
cd "/share/a checkout" || exit
started=$(date +%s)
./install.sh || exit
echo "fresh.sh: installed in $(($(date +%s) - started)) s, $(du -sm /opt/edged | cut -f1) MB in /opt/edged"
edged status || exit
./install.sh >/run/said || exit
tail -n 1 /run/said
grep -q '^Nothing was to be done' /run/said
I
	NETWORK=host "$checkout/hardware-tests/lab/nspawn.sh" "$bare" "$share/service.sh" "$share" || status=$?
	echo "fresh.sh: $suite, $arch, booted: ./install.sh left with $status"
	return "$status"
}

[ -d "$bare" ] || make_bare
if [ -n "$service" ]; then
	run_service
	exit
fi
work=$(mktemp -d "$lab/fresh-$suite.XXXXXX")
root=$work/root
if [ -n "${KEEP:-}" ]; then echo "fresh.sh: kept in $root"; else trap 'rm -rf "$work"' EXIT; fi
cp -a "$bare" "$root"
echo "127.0.0.1 localhost $(hostname)" >"$root/etc/hosts"
copy_network_settings

user=root home=/root
if [ "$as" != root ]; then
	user=newcomer home=/home/newcomer
	add_user
fi
git clone --quiet --no-hardlinks "$checkout" "$root$home/a checkout"
[ "$user" = root ] || chroot "$root" chown -R newcomer: "$home/a checkout"

install=(./install.sh)
[ "$as" != sudoer ] || install=(sudo ./install.sh)
mapfile -t variables < <(network_variables)
status=0
started=$SECONDS
enter env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME="$home" "${variables[@]}" \
	setpriv --reuid "$user" --regid "$user" --init-groups \
	sh -c 'cd "$HOME/a checkout" && exec "$@"' sh "${install[@]}" "$@" || status=$?
if [ "$user" != root ] && [ -n "$(find "$root$home" ! -user "$(stat -c %u "$root$home")" -print -quit)" ]; then
	echo "fresh.sh: something in $home belongs to another user now"
	[ "$status" -ne 0 ] || status=1
fi
echo "fresh.sh: $suite, $arch, as $as: ${install[*]} $* left with $status after $((SECONDS - started)) s"
exit "$status"
