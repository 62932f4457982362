# shellcheck shell=bash
# AOSC's relations between packages in Debian's words: `name>=1` becomes `name (>= 1)`.

# LAPSTRAKE_DEPENDENCY_NAMES: lines AOSC=DEBIAN, for packages that shall install on a Debian base.
# An empty right side drops the dependency.
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

# _relation FIELD ITEM: one relation, into REPLY; empty when it is to be left out.
_relation() {
	local name operator version
	REPLY=
	[[ $2 != @* ]] || return 0 # a directive
	if [[ ! $2 =~ ^([A-Za-z0-9][A-Za-z0-9.+-]*(_spiral)?)(_|(<=|>=|==|<<|>>|=)(.+))?$ ]]; then
		abdie "E102: $1: $2 is no relation"
	fi
	name=${BASH_REMATCH[1]} operator=${BASH_REMATCH[4]/==/=} version=${BASH_REMATCH[5]}
	[[ $name != *_spiral ]] || name=${name%_spiral}
	if [[ $1 == @(Depends|Pre-Depends|Recommends|Suggests) ]]; then
		[[ $name != "$PKGNAME" ]] || return 0
		name=${_DEPENDENCY_NAME[$name]-$name}
		[[ $name ]] || return 0
	fi
	if [[ ! $operator && ${BASH_REMATCH[3]} != _ && $1 == @(Depends|Pre-Depends) ]] && ! bool "$VER_NONE"; then
		# What it was built with is the least it needs. Only of what is installed is that known.
		version=$(dpkg-query --show --showformat='${db:Status-Abbrev} ${Version}' "$name" 2>/dev/null) || version=
		[[ $version == ii* ]] && operator='>=' version=${version##* } || version=
	fi
	REPLY=$name${operator:+ ($operator $version)}
}
