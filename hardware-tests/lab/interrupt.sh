#!/usr/bin/env bash
# interrupt.sh SUITE [POINTS]   Kill install.sh at POINTS (default 12) commands of an installation and of an upgrade, and
# run it again; then take the power away at POINTS moments of a switch to a good version, and of one to a version that
# brings the store to another schema and then dies, and boot again. Each time the system must end as one that was
# never disturbed: the same list of what was installed, the service at work, the store readable.
#
# ONLY_CUTS=1 leaves the kills out. An installation has some hundred commands; those that it is killed at are spread over all of them. 20-30 minutes.
# needs: root, systemd-container, mmdebstrap
set -euo pipefail
suite=${1:?usage: interrupt.sh SUITE [POINTS]} points=${2:-12}
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
checkout=$(cd -- "$here/../.." && pwd -P)
lab=${EDGED_CACHE:-$HOME/.cache/edged}/lab
root=$("$here/bootable.sh" "$suite")
wheels=$("$here/wheels.sh" "$suite")
work=$(mktemp -d "$lab/interrupt.XXXXXX")
trap 'rm -rf "$work"' EXIT
share=$work/share
mkdir -p "$share"

# ---- two versions, as folders for --offline -------------------------------------------------------------------------

copy() { # copy FOLDER VERSION
	mkdir -p "$share/$1/source"
	(cd "$checkout" && tar c --exclude=__pycache__ edged config systemd install install.sh man pyproject.toml constraints.txt README.md LICENSE) |
		tar x -C "$share/$1/source"
	sed -i "s/^version = .*/version = \"$2\"/" "$share/$1/source/pyproject.toml"
	sed -i "s/^__version__ .*/__version__ = \"$2\"/; s/^__version__: .*/__version__ = \"$2\"/" "$share/$1/source/edged/__init__.py"
	ln "$wheels"/*.whl "$share/$1"
	cp -r "$share/$1"/source/{install,install.sh,constraints.txt} "$share/$1"
}
copy one 1.0.0
copy two 2.0.0
copy three 3.0.0
printf '\nMIGRATIONS = (*MIGRATIONS, ("CREATE TABLE newer (one INTEGER)",))\nVERSION = len(MIGRATIONS)\n' >>"$share/three/source/edged/store/schema.py"
sed -i 's/^import os$/import os\nimport threading\nimport time\n\nthreading.Thread(target=lambda: (time.sleep(4), os._exit(7)), daemon=True).start()/' \
	"$share/three/source/edged/service.py"
grep -q _exit "$share/three/source/edged/service.py"

cat >"$share/prepare.sh" <<'I'
set -eu
python3 -m venv /tmp/build
for one in one two three; do
	/tmp/build/bin/python -m pip wheel --quiet --no-index --find-links /share/$one --no-deps -w /share/$one /share/$one/source
	rm -rf /share/$one/source
done
I
"$here/nspawn.sh" "$root" "$share/prepare.sh" "$share"

# Sourced by bash before install.sh: kills it before its KILL_AT-th command, in whichever subshell that is.
cat >"$share/kill.sh" <<'I'
if [ "${0##*/}" = install.sh ]; then
	set -o functrace
	lab_count=0
	trap 'lab_count=$((lab_count + 1)); [ "$BASHPID" != $$ ] || echo "$lab_count" >/run/lab-count; [ "$lab_count" -lt "$KILL_AT" ] || kill -KILL $$' DEBUG
fi
I
cat >"$share/functions.sh" <<'I'
install() { bash /share/$1/install.sh --offline /share/$1 >/run/said 2>&1; }
killed_at() { # killed_at N VERSION: succeeds when it was over before
	KILL_AT=$1 BASH_ENV=/share/kill.sh bash /share/$2/install.sh --offline /share/$2 >/run/said 2>&1
}
complain() { echo "interrupt.sh: $*"; tail -n 20 /run/said; failed=1; }
check() { # check VERSION WHAT: as if nothing had happened
	install $1 || complain "$2: run again, install.sh fails"
	install $1 || complain "$2: a third run fails"
	grep -q '^Nothing was to be done' /run/said || complain "$2: a third run finds something to do"
	systemctl -q is-active edged.service && systemctl -q is-enabled edged.service edged-trial.service || complain "$2: the service is not at work"
	[ "$(edged version)" = "$(/opt/edged/current/bin/edged version)" ] || complain "$2: edged is not the current version"
	left=$(find /opt /usr/local /etc /var/lib/edged -xdev -name '*.edged-part' -o -name 'before-*' -o -path /opt/edged/trial)
	[ -z "$left" ] || complain "$2: left behind: $left"
	sort /opt/edged/manifest | sed 's/-[0-9a-f]\{12\}$//' >/run/manifest
	[ ! -e /share/manifest-$1 ] || diff /share/manifest-$1 /run/manifest || complain "$2: another list of what is installed"
}
failed=0
I

cat >"$share/kills.sh" <<'I'
. /share/functions.sh
# Never disturbed: what it should come to.
killed_at 1000000 one || complain "it fails undisturbed"
first=$(cat /run/lab-count)
check one undisturbed; cp /run/manifest /share/manifest-one
killed_at 1000000 two || complain "the upgrade fails undisturbed"
second=$(cat /run/lab-count)
check two "an undisturbed upgrade"; cp /run/manifest /share/manifest-two
bash /share/two/install.sh --purge --yes >/run/said 2>&1 || complain "it cannot be purged"
echo "an installation has $first commands, an upgrade $second"
for n in $(seq 1 $POINTS); do
	at=$((first * n / (POINTS + 1)))
	killed_at $at one && complain "it was over before command $at"
	check one "killed at command $at of an installation"
	bash /share/one/install.sh --purge --yes >/run/said 2>&1 || complain "it cannot be purged"
done
install one || complain "it cannot be installed"
for n in $(seq 1 $POINTS); do
	at=$((second * n / (POINTS + 1)))
	# It waits in a loop, which is not always of the same length.
	killed_at $at two && echo "it was over before command $at"
	check two "killed at command $at of an upgrade"
	install one || complain "it cannot go back to one"
done
exit $failed
I
echo "interrupt.sh: install.sh is killed, on $suite"
sed -i "1i POINTS=$points" "$share/kills.sh"
status=0
[ -n "${ONLY_CUTS:-}" ] || "$here/nspawn.sh" "$root" "$share/kills.sh" "$share" || status=1

# ---- power cuts -----------------------------------------------------------------------------------------------------

cat >"$share/begin.sh" <<'I'
. /share/functions.sh
install one || complain "it cannot be installed"
sed -i 's/^kind = "v4l2"/kind = "synthetic"/' /etc/edged/edged.toml
systemctl restart edged
sync
exit $failed
I
cat >"$share/cut.sh" <<'I'
. /share/functions.sh
touch /share/begun
install "$(cat /share/which)"
touch /share/over
sleep 60
I
cat >"$share/after.sh" <<'I'
. /share/functions.sh
n=0
while [ -e /opt/edged/trial ] && [ $n -lt 150 ]; do sleep 1; n=$((n + 1)); done
[ ! -e /opt/edged/trial ] || complain "the trial is not brought to its end"
n=0
while ! edged status >/dev/null 2>&1 && [ $n -lt 60 ]; do sleep 1; n=$((n + 1)); done
[ "$(edged status | sed -n '1s/^edged \([0-9.]*\).*/\1/p')" = "$(edged version | cut -d' ' -f2)" ] || complain "another version is at work than is current"
echo "after the cut: $(edged version), $(cat /opt/edged/verdict 2>/dev/null)"
if [ "$(cat /share/which)" = two ]; then
	check two "after a power cut"
else
	[ "$(edged version)" = "edged 1.0.0" ] || complain "the bad version was not taken back"
	grep -q '^kind = "synthetic"' /etc/edged/edged.toml || complain "the config is another one"
	edged report --json >/dev/null || complain "the store cannot be read"
	left=$(find /opt/edged /usr/local /etc /var/lib/edged -name '*.edged-part' -o -name 'before-*' -o -name trial.key)
	[ -z "$left" ] || complain "left behind: $left"
fi
exit $failed
I

boot() { # boot SCRIPT: on the disk of this run, whose changes stay; prints what it says
	rm -f "$share/out" "$share/rc"
	cp "$share/$1" "$share/run.sh"
	"$here/nspawn.sh" --boot "$work/disk" --bind="$share:/share" >"$share/console" 2>&1 &
	local pid=$!
	echo "$pid" >"$share/pid"
	wait "$pid" || true
}
# All of the container at once: its PID 1, which is the only child of systemd-nspawn, itself the only one of nspawn.sh.
cut_power() {
	local nspawn
	nspawn=$(ps -o pid= --ppid "$(cat "$share/pid")")
	ps -o pid= --ppid "${nspawn// /}" | xargs -r kill -KILL
}

mkdir "$work/disk"
cp -a --reflink=auto "$root/." "$work/disk"
cat >"$work/disk/etc/systemd/system/lab.service" <<'U'
[Service]
Type=simple
ExecStart=/bin/sh -c 'sh /share/run.sh >/share/out 2>&1; echo $? >/share/rc; systemctl poweroff --force'
[Install]
WantedBy=multi-user.target
U
ln -s ../lab.service "$work/disk/etc/systemd/system/multi-user.target.wants/lab.service"
boot begin.sh
[ "$(cat "$share/rc")" = 0 ] || { cat "$share/out" && exit 1; }
mv "$work/disk" "$work/begun"
cut_at() { # cut_at VERSION SECONDS [PHASE]: after its trial began, or came to a phase
	rm -rf "$work/disk"
	cp -a --reflink=auto "$work/begun" "$work/disk"
	rm -f "$share/begun" "$share/over"
	echo "$1" >"$share/which"
	boot cut.sh &
	local waiter=$!
	until grep -q "^phase=${3:-}" "$work/disk/opt/edged/trial" 2>/dev/null || [ -e "$share/over" ]; do sleep 0.02; done
	sleep "$2"
	echo "cut $2 s after the trial ${3:+was at }${3:-began}: $(grep phase= "$work/disk/opt/edged/trial" 2>/dev/null || echo it was over)"
	cut_power
	wait "$waiter" || true
	boot after.sh
	cat "$share/out"
	[ "$(cat "$share/rc")" = 0 ] || status=1
}

# More of them at first: there most happens. The bad version takes some 12 s until all is as before.
for ((n = 0; n < points; n++)); do
	cut_at two "$(awk -v n="$n" -v points="$points" 'BEGIN { printf "%.2f", 8 * (n / points) ^ 2 }')"
	cut_at three "$(awk -v n="$n" -v points="$points" 'BEGIN { printf "%.2f", 14 * (n / points) ^ 1.3 }')"
done
# Going back takes a second: it would hardly be met by chance.
for seconds in 0 0.1 0.3 0.6 1; do
	cut_at three "$seconds" back
done
echo "interrupt.sh: $suite: $points kills of an installation and of an upgrade, $points power cuts of a good and of a bad one, 5 while going back: \
$([ "$status" = 0 ] && echo good || echo not good)"
exit "$status"
