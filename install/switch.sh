# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# Switch: from one version to another, in steps that are each written down before the next begins, so that whoever
# comes after a power cut (edged-trial.service at boot) goes on from there. Each step may be done twice.
#
#     begin    -> stop; copy the store beside, if the new version would write another schema
#     copied   -> system files, /opt/edged/current; start
#     judging  -> a minute to become healthy
#     accepted -> forget the copy
#     back     -> stop; the store, files and version of before; start
#
# There is no version before at the first installation: what is not healthy is then left in place, and said.

readonly TRIAL=$HOME_OF_EDGED/trial
readonly VERDICT_FILE=$HOME_OF_EDGED/verdict
readonly CREDENTIALS=/etc/edged/credentials
readonly KEY_BEFORE=$HOME_OF_EDGED/trial.key
readonly JUDGED_FOR=60     # seconds until a version must have become healthy
readonly HEALTHY_FOR=20    # seconds without a break that count as healthy, where there is a version to go back to
readonly MOST_TRIES=2      # beginnings of a judgement: a version that takes the board down with it is not tried for ever

declare -A trial=()

read_trial() {
	local line
	trial=([before]="" [after]="" [phase]="" [tries]=0 [ran]="" [wanted]=yes [store]="" [reason]="")
	[ -e "$TRIAL" ] || return
	while IFS= read -r line; do
		trial[${line%%=*}]=${line#*=}
	done <"$TRIAL"
}

write_trial() { # write_trial [KEY=VALUE...]
	local change key
	for change; do
		trial[${change%%=*}]=${change#*=}
	done
	for key in before after phase tries ran wanted store reason; do
		printf '%s=%s\n' "$key" "${trial[$key]}"
	done | put "$TRIAL" 644
}

go_on() {
	read_trial || return 0
	if ! [ -d "$VERSIONS/${trial[after]}" ]; then
		write_trial phase=back reason="its folder is gone"
	fi
	[ "${trial[phase]}" != begin ] || prepare || give_up "the old version's store could not be copied"
	[ "${trial[phase]}" != copied ] || change_over || give_up "its files could not be put in place"
	[ "${trial[phase]}" != judging ] || judge
	[ "${trial[phase]}" != accepted ] || accept
	[ "${trial[phase]}" != back ] || go_back
}

give_up() { # give_up REASON
	echo "${trial[after]}: $1"
	write_trial phase=back reason="$1"
}

# An event as edged/events has it, which a test holds this to.
tell_journal() { # tell_journal NAME MESSAGE-ID PRIORITY TEXT
	logger --journald <<-FIELDS || true
		MESSAGE=$1: $4
		MESSAGE_ID=$2
		PRIORITY=$3
		SYSLOG_IDENTIFIER=edged-trial
		EDGED_EVENT=$1
		EDGED_OLD=${trial[before]}
		EDGED_NEW=${trial[after]}
		EDGED_REASON=${trial[reason]}
	FIELDS
}

# ---- forward -------------------------------------------------------------------------------------------------------

prepare() {
	systemctl stop "$SERVICE" 2>/dev/null
	copy_store && write_trial phase=copied
}

change_over() {
	systemctl stop "$SERVICE" 2>/dev/null
	deploy "${trial[after]}" && withdraw "${trial[before]}" "${trial[after]}" &&
		point "$CURRENT" "versions/${trial[after]}" && take_notice && write_trial phase=judging
}

judge() {
	if [ "${trial[wanted]}" != yes ]; then
		write_trial phase=accepted reason="not tried: edged.service is disabled and was not at work"
		return
	fi
	write_trial tries=$((trial[tries] + 1))
	if [ "${trial[tries]}" -gt "$MOST_TRIES" ]; then
		give_up "the power went or the board restarted each time it was tried"
		return
	fi
	start_service
	if await_health; then
		write_trial phase=accepted reason=healthy
	else
		give_up "$unhealthy"
	fi
}

# Sets unhealthy to what stands against it.
await_health() {
	local end=$((SECONDS + JUDGED_FOR)) since=$SECONDS enough=$HEALTHY_FOR said=nothing
	[ -n "${trial[before]}" ] || enough=0
	while :; do
		unhealthy=$(why_unhealthy)
		[ "$unhealthy" = "$said" ] || echo "${trial[after]}: ${unhealthy:-healthy since now}"
		said=$unhealthy
		if [ -n "$unhealthy" ]; then
			since=$SECONDS
			if [ "$SECONDS" -ge "$end" ] || is_lost; then return 1; fi
		elif [ $((SECONDS - since)) -ge "$enough" ]; then
			return 0
		fi
		sleep 1
	done
}

# What no waiting mends.
is_lost() { [ "$(property ActiveState)" = failed ] || [ "$(property NRestarts)" -gt 0 ]; }

why_unhealthy() {
	local answer name missing=()
	[ "$(property NRestarts)" = 0 ] || { echo "edged.service ended by itself and was started again" && return; }
	[ "$(property ActiveState)" = active ] || { say_state && return; }
	is_of_version "$(property MainPID)" || { echo "edged.service runs another version" && return; }
	answer=$(ask_status "${trial[after]}") || { echo "edged status has no answer" && return; }
	[ "${answer%%$'\n'*}" = "$(version_of_id "${trial[after]}")" ] || { echo "edged status answers as version ${answer%%$'\n'*}" && return; }
	for name in ${trial[ran]}; do
		grep -qxF -- "$name" <<<"${answer#*$'\n'}" || missing+=("$name")
	done
	[ ${#missing[@]} -eq 0 ] || echo "these pipelines ran before, and do not now: ${missing[*]}"
}

say_state() {
	local text
	text=$(property StatusText)
	echo "edged.service is $(property ActiveState) (result: $(property Result))${text:+: $text}"
}

is_of_version() { # is_of_version PID: its interpreter is that of the version on trial
	tr '\0' '\n' 2>/dev/null <"/proc/$1/cmdline" | grep "^$VERSIONS/${trial[after]}/" >/dev/null
}

accept() {
	echo "${trial[after]}: ${trial[reason]}"
	[ -z "${trial[before]}" ] ||
		tell_journal upgraded 653c3e1ff72a422298c4953991fafa9a 5 "${trial[before]} is replaced by ${trial[after]} (${trial[reason]})"
	printf 'good %s %s\n' "${trial[after]}" "${trial[reason]}" | put "$VERDICT_FILE" 644
	drop_copy
	[ -z "${trial[before]}" ] || point "$HOME_OF_EDGED/before" "versions/${trial[before]}"
	rm -f "$TRIAL" && sync "$HOME_OF_EDGED"
}

# ---- back ----------------------------------------------------------------------------------------------------------

go_back() {
	echo "${trial[after]} is not healthy: ${trial[reason]}"
	if [ -n "${trial[before]}" ] && [ -d "$VERSIONS/${trial[before]}" ]; then
		echo "going back to ${trial[before]}"
		systemctl stop "$SERVICE" 2>/dev/null
		restore_store
		deploy "${trial[before]}"
		withdraw "${trial[after]}" "${trial[before]}"
		point "$CURRENT" "versions/${trial[before]}"
		point "$HOME_OF_EDGED/installer" "versions/${trial[before]}/share/edged"
		take_notice
		[ "${trial[wanted]}" != yes ] || start_service
		drop_copy
		tell_journal rolled-back d095a39d4f5b48668e446404897d7882 3 "${trial[after]} is taken back, ${trial[before]} is put back: ${trial[reason]}"
	fi
	printf 'bad %s %s\n' "${trial[after]}" "${trial[reason]}" | put "$VERDICT_FILE" 644
	[ -z "${trial[before]}" ] || await_the_old
	rm -f "$TRIAL" && sync "$HOME_OF_EDGED"
}

# Nothing depends on it; whoever waits learns how it went.
await_the_old() {
	local end=$((SECONDS + JUDGED_FOR))
	while [ "${trial[wanted]}" = yes ] && ! is_active && [ "$SECONDS" -lt "$end" ]; do
		sleep 1
	done
}

# ---- the store -----------------------------------------------------------------------------------------------------
# It belongs to the service's user, who may have put anything there: whatever is done to it is done as that user.

as_edged() { setpriv --reuid edged --regid edged --init-groups -- "$@"; }

copy_of_store() { echo "$(dirname "${trial[store]}")/before-${trial[before]}"; }

# Only where the two versions would write different schemas: otherwise either can go on with the other's file.
copy_store() {
	[ -n "${trial[store]}" ] && [ -e "${trial[store]}" ] || return 0
	local copy file
	copy=$(copy_of_store)
	as_edged rm -rf "$copy" && as_edged mkdir -m 700 "$copy" || return
	for file in "${trial[store]}" "${trial[store]}-wal"; do
		[ ! -e "$file" ] || as_edged cp --reflink=auto --preserve=mode,timestamps -- "$file" "$copy/" || return
	done
	copy_key && as_edged touch "$copy/whole" && sync -f "$copy"
}

# With its key, sealed as it is: one that is exchanged during the trial would not open the copy.
copy_key() {
	rm -f "$KEY_BEFORE"
	[ ! -e "$CREDENTIALS/key" ] || put "$KEY_BEFORE" 600 <"$CREDENTIALS/key"
}

restore_store() {
	[ -n "${trial[store]}" ] || return 0
	local copy file
	copy=$(copy_of_store)
	as_edged test -e "$copy/whole" || return 0
	for file in "${trial[store]}-wal" "${trial[store]}-shm"; do
		as_edged rm -f -- "$file"
	done
	for file in "${trial[store]}" "${trial[store]}-wal"; do
		as_edged test -e "$copy/${file##*/}" || continue
		as_edged cp --reflink=auto --preserve=mode,timestamps -- "$copy/${file##*/}" "$file.part"
		as_edged mv -fT -- "$file.part" "$file"
	done
	sync -f "$copy"
	restore_key
}

restore_key() {
	[ -e "$KEY_BEFORE" ] || return 0
	cmp -s "$KEY_BEFORE" "$CREDENTIALS/key" || put "$CREDENTIALS/key" 600 <"$KEY_BEFORE"
	rm -f "$CREDENTIALS/next"
}

drop_copy() {
	[ -z "${trial[store]}" ] || as_edged rm -rf "$(copy_of_store)"
	rm -f "$KEY_BEFORE"
}
