# shellcheck shell=bash
# AOSC's relations between packages in Debian's words: `name>=1` becomes `name (>= 1)`.

# LAPSTRAKE_DEPENDENCY_NAMES: lines AOSC=DEBIAN, for packages that shall install on a Debian base.
# DEBIAN is written as in Depends (`a, b | c`); when it is empty, the dependency is dropped.
declare -gA _DEPENDENCY_NAME=()
while IFS='=' read -r _aosc _debian; do
	[[ ! $_aosc ]] || _DEPENDENCY_NAME[$_aosc]=$_debian
done <<<"${LAPSTRAKE_DEPENDENCY_NAMES-}"

# relation_field FIELD VARIABLE: prints the field, unless there is nothing in it.
relation_field() {
	local item relations=()
	words "$2"
	for item in "${REPLY_LIST[@]}"; do
		_relation "$1" "$item"
		[[ -z $REPLY ]] || relations+=("$REPLY")
	done
	((${#relations[@]} == 0)) || printf '%s: %s\n' "$1" "$(_join ', ' "${relations[@]}")"
}

# _join SEPARATOR WORD...
_join() {
	local joined
	printf -v joined "%s$1" "${@:2}"
	printf %s "${joined%"$1"}"
}

# _relation FIELD ITEM: one relation, into REPLY (several where Debian has several packages for it);
# empty when it is to be left out.
_relation() {
	local name operator version unversioned other names relations=()
	REPLY=
	[[ $2 != @* ]] || return 0 # a directive
	[[ $2 =~ ^([A-Za-z0-9][A-Za-z0-9.+-]*)(_spiral)?(_|(<=|>=|==|<<|>>|=)(.+))?$ ]] ||
		abdie "E102: $1: $2 is no relation"
	name=${BASH_REMATCH[1]} unversioned=${BASH_REMATCH[3]}
	operator=${BASH_REMATCH[4]/==/=} version=${BASH_REMATCH[5]}
	if [[ $1 == @(Depends|Pre-Depends|Recommends|Suggests) ]]; then
		[[ $name != "$PKGNAME" ]] || return 0
		name=${_DEPENDENCY_NAME[$name]-$name}
	fi
	IFS=, read -ra names <<<"${name//, /,}"
	for other in "${names[@]}"; do
		if [[ $other == *' '* ]]; then
			: # more than a name: a whole relation, as the map says it
		elif [[ $operator ]]; then
			other+=" ($operator $version)"
		elif [[ ! $unversioned && $1 == @(Depends|Pre-Depends) ]]; then
			_version_built_with "$other"
			other+=$REPLY
		fi
		relations+=("$other")
	done
	REPLY=$(_join ', ' "${relations[@]}")
}

# What a package was built with is the least it needs: ` (>= VERSION)`, into REPLY. Empty when that
# is not installed: then nothing is known.
_version_built_with() {
	REPLY=
	! bool "$VER_NONE" || return 0
	REPLY=$(dpkg-query --show --showformat='${db:Status-Abbrev}${Version}' "$1" 2>/dev/null) || REPLY=
	if [[ $REPLY == ii\ * ]]; then REPLY=" (>= ${REPLY#ii })"; else REPLY=; fi
}
