# shellcheck shell=bash
# Reads `spec` and `defines`, with their variants for a machine, a group of machines and stage 2.

# find_variant NAME: the file of `autobuild/` that holds for this machine, into REPLY: in the
# machine's folder, in the folder of one of its groups, or at the top; in stage 2, NAME.stage2 first.
# Fails when there is none.
find_variant() {
	local folder name names=("$1")
	bool "${ABSTAGE2-}" && names=("$1.stage2" "$1")
	for folder in "$ARCH" "${ARCH_GROUPS[@]}" .; do
		for name in "${names[@]}"; do
			REPLY=$SRCDIR/autobuild/$folder/$name
			REPLY=${REPLY/\/.\//\/}
			[[ ! -e $REPLY ]] || return 0
		done
	done
	REPLY=
	return 1
}

# VAR__ARCH replaces VAR; else VAR__GROUP does. Empty values count.
_take_suffixed() {
	local name base suffix
	local -A chosen=()
	for name in $(compgen -v | grep -E '^[A-Z][A-Z0-9_]*[A-Z0-9]__[A-Z0-9_]+$'); do
		base=${name%%__*} suffix=${name#*__}
		if [[ $suffix == "${ARCH^^}" ]]; then
			chosen[$base]=$name
		elif [[ ! -v ${base}__${ARCH^^} ]] && ab_match_archgroup "${suffix,,}"; then
			[[ ! -v chosen[$base] ]] ||
				abdie "E102: both ${chosen[$base]} and $name hold for $ARCH; say ${base}__${ARCH^^}"
			chosen[$base]=$name
		fi
	done
	for base in "${!chosen[@]}"; do
		_copy_variable "${chosen[$base]}" "$base"
	done
}

# _copy_variable FROM TO: arrays stay arrays.
_copy_variable() {
	local -n _from=$1
	unset -v "$2"
	if [[ ${_from@a} == *a* ]]; then
		eval "$2=(\"\${_from[@]}\")"
	else
		printf -v "$2" %s "$_from"
	fi
}

# Reads bundle/spec for VER, REL and the names starting with `__`, which scripts see. What the host
# says in PKGVER and PKGREL wins: it reads specs without bash's tilde expansion.
load_spec() {
	local spec=$LAPSTRAKE_BUILDROOT/bundle/spec home=$HOME
	if [[ -f $spec ]]; then
		HOME='~' # ${V/-/~} shall give a tilde, not a folder
		# shellcheck source=/dev/null
		. "$spec"
		HOME=$home
	fi
	PKGVER=${PKGVER:-${VER-}} PKGREL=${PKGREL:-${REL:-0}}
	[[ $PKGVER ]] || abdie "E101: the spec sets no VER"
	[[ $PKGVER != */* ]] || abdie "E101: VER must not hold a slash: $PKGVER"
	VER=$PKGVER REL=$PKGREL
	# shellcheck disable=SC2046
	export PKGVER PKGREL $(compgen -v | grep '^__[A-Za-z]' || true)
}

# Reads autobuild/defines. Sets the names that defines may use beforehand.
load_defines() {
	find_variant defines || abdie "E102: autobuild/defines is missing"
	# shellcheck source=/dev/null
	. "$REPLY"
	_take_suffixed
	[[ $ABHOST != noarch ]] || ABSPLITDBG=no
	PKGEPOCH=${PKGEPOCH:-0}
	export PKGNAME PKGEPOCH
}

# words NAME: the variable as a list, into REPLY_LIST: an array as it is, a string split at blanks
# (but not globbed, and quotes are letters).
words() {
	REPLY_LIST=()
	[[ -v $1 || -v $1[@] ]] || return 0
	local -n _variable=$1
	if [[ ${_variable@a} == *a* ]]; then
		REPLY_LIST=("${_variable[@]}")
	else
		read -rd '' -a REPLY_LIST <<<"$_variable" || true
	fi
}
