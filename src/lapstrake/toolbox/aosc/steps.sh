# shellcheck shell=bash
# Which step of the build runs, told to the host in the file `step`, and where a failure happened.

# begin_step prepare|configure|build|install|qa|pack TEXT
begin_step() {
	printf '%s\n' "$1" >"$LAPSTRAKE_BUILDROOT/step"
	printf '>>> %s: %s\n' "$1" "${*:2}"
}

current_step() {
	cat "$LAPSTRAKE_BUILDROOT/step"
}

# Handler of ERR: the place, the command, its status and how the script came there.
_report_failure() {
	local status=$1 command=$2 frame
	# Without -e (inside $(...)) a failing command does not end the shell: it is no news.
	[[ $- == *e* ]] || return 0
	aberr "${BASH_SOURCE[1]#"$LAPSTRAKE_BUILDROOT"/}:${BASH_LINENO[0]}: status $status (step $(current_step)): $command"
	for ((frame = 1; frame < ${#FUNCNAME[@]} - 1; frame++)); do
		aberr "    from ${BASH_SOURCE[frame + 1]#"$LAPSTRAKE_BUILDROOT"/}:${BASH_LINENO[frame]}"
	done
}

# Ends this shell at the first command that fails, saying where. A script that calls `exit 0` would
# end the build as if it had succeeded: this shell succeeds only after `all_done`.
# report_failures WHAT
report_failures() {
	set -eE
	_unfinished=$1
	trap '_report_failure "$?" "$BASH_COMMAND"' ERR
	trap '_check_ending "$?"' EXIT
}

all_done() {
	_unfinished=
}

_check_ending() {
	if (($1 == 0)) && [[ $_unfinished ]] && ((BASH_SUBSHELL == 0)); then
		aberr "$_unfinished ended early: a script called exit (step $(current_step))"
		exit 1
	fi
}
