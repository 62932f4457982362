# shellcheck shell=bash
# Quality rules, before and after the build. Findings add up; an E-code ends the build.
#
# What folders are right differs from system to system: qa/BASE.sh has the lists, BASE being the
# ID of etc/os-release, or LAPSTRAKE_QA_BASE; a base without lists takes debian's.
# LAPSTRAKE_QA_ALLOWED adds paths (globs, without the leading slash) that are right in any case.

_load_lists() {
	local base=${LAPSTRAKE_QA_BASE-}
	# shellcheck source=/dev/null
	[[ $base || ! -f /etc/os-release ]] || base=$(. /etc/os-release && printf %s "${ID-}")
	[[ -f $LAPSTRAKE_TOOLBOX/qa/$base.sh ]] || base=debian
	# shellcheck source=/dev/null
	. "$LAPSTRAKE_TOOLBOX/qa/$base.sh"
}

# _finding CODE TEXT
_finding() {
	if [[ $1 == W* ]]; then
		abwarn "$1: $2"
	else
		aberr "$1: $2"
		_findings=$((_findings + 1))
	fi
}

_end_findings() {
	((_findings == 0)) || abdie "QA found $_findings errors"
}

# Before the build: who, what, which section.
check_definitions() {
	local name _findings=0
	MTER=${MTER:-${LAPSTRAKE_MAINTAINER:-Unknown maintainer <root@localhost>}}
	[[ $MTER == ?*\ \<*@*\> ]] || _finding E311 "the maintainer is no \"Name <address>\": $MTER"
	for name in PKGNAME PKGSEC PKGDES PKGVER; do
		[[ ${!name-} ]] || _finding E104 "defines sets no $name"
	done
	[[ -z ${PKGNAME-} || $PKGNAME =~ ^[a-z0-9][a-z0-9.+-]*$ ]] || _finding E103 "PKGNAME=$PKGNAME is no package name"
	[[ -z ${PKGSEC-} ]] || grep -qxF -- "${PKGSEC##@(non-free|contrib)/}" "$LAPSTRAKE_TOOLBOX/qa/sections" ||
		_finding E104 "PKGSEC=$PKGSEC is no section"
	if [[ ${ABTYPE:-self} != self ]] && find_variant build; then
		_finding E105 "ABTYPE=$ABTYPE, and a script build"
	fi
	_end_findings
}

# After the build: where files are, their modes, their sizes.
check_content() {
	local _findings=0 QA_TOP QA_USR QA_FORBIDDEN QA_ALLOWED
	_load_lists
	read -ra QA_ALLOWED <<<"${LAPSTRAKE_QA_ALLOWED-}"
	_check_places
	_check_modes
	_check_sizes
	_end_findings
}

# Whether a path matches one of the globs. _is_one_of PATH GLOB...
_is_one_of() {
	local glob
	for glob in "${@:2}"; do
		# shellcheck disable=SC2053
		[[ $1 != $glob ]] || return 0
	done
	return 1
}

_check_places() {
	local path
	for path in "${QA_FORBIDDEN[@]}"; do
		[[ ! -e $PKGDIR/$path && ! -L $PKGDIR/$path ]] || _is_one_of "$path" "${QA_ALLOWED[@]}" ||
			_finding E321 "/$path must not be in a package"
	done
	while IFS= read -r path; do
		! _is_one_of "$path" "${QA_ALLOWED[@]}" "${QA_FORBIDDEN[@]}" || continue
		if [[ -f $PKGDIR/$path && ! -L $PKGDIR/$path ]]; then
			_finding E321 "/$path is a file where only folders belong"
		elif ! _is_one_of "$path" "${QA_TOP[@]}" "${QA_USR[@]/#/usr/}" 'usr/share/*'; then
			_finding E321 "/$path is unexpected"
		fi
	done < <(cd "$PKGDIR" && find ./ usr/ usr/share/ -mindepth 1 -maxdepth 1 -printf '%H%P\n' 2>/dev/null |
		sed 's|^\./||' | LC_ALL=C sort)
}

_check_modes() {
	local path
	while IFS= read -r path; do
		case $path in
		usr/bin/*) _finding E324 "/$path is not executable" ;;
		*.so.*) _finding E324 "/$path, a shared library, is not executable" ;;
		esac
	done < <(cd "$PKGDIR" && find . -type f ! -perm -111 \( -path './usr/bin/*' -o -name '*.so.[0-9]*' \) -printf '%P\n')
	while IFS= read -r path; do
		_finding E324 "/$path, an object to link, is executable"
	done < <(cd "$PKGDIR" && find . -type f -perm /111 \( -name '*.a' -o -name '*.o' \) -printf '%P\n')
}

_check_sizes() {
	local path
	while IFS= read -r path; do
		_finding W322 "/$path is empty"
	done < <(cd "$PKGDIR" && find . -type f -empty -printf '%P\n' | LC_ALL=C sort)
}
