# shellcheck shell=bash
# What scripts of bundles say: the names are those that bundles call. Everything goes to stderr,
# so that command substitutions in scripts keep their output clean.

_message() {
	printf '[%s] %s\n' "$1" "${*:2}" >&2
}

abinfo() { _message INFO "$@"; }
abwarn() { _message WARN "$@"; }
aberr() { _message ERROR "$@"; }

abdbg() {
	[[ ${ABVERBOSE-} == 1 ]] || return 0
	_message DEBUG "$@"
}

# Ends the build, from subshells too. abdie MESSAGE [STATUS]
abdie() {
	aberr "${1:-no reason given} (step $(current_step))"
	trap - ERR
	exit "${2:-1}"
}
