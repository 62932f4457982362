# shellcheck shell=bash
# Maintainer scripts: what `alternatives` and `usergroup` ask for, then the bundle's own lines.

# write_maintainer_scripts FOLDER
write_maintainer_scripts() {
	local name
	_FRAGMENTS=$(mktemp -d)
	_evaluate alternatives
	_evaluate usergroup
	for name in preinst postinst prerm postrm config; do
		_write_script "$name" "$1"
	done
	for name in triggers templates; do
		if find_variant "$name"; then install -m644 "$REPLY" "$1/$name"; fi
	done
	if find_variant pax; then abwarn "pax is ignored: no kernel of today reads its marks"; fi
	rm -r "$_FRAGMENTS"
}

# These files are scripts that call the functions below.
_evaluate() {
	if find_variant "$1"; then
		abinfo "reading $1"
		# shellcheck source=/dev/null
		. "$REPLY"
	fi
}

# _quote WORD...: as words of a script.
_quote() {
	printf '%q ' "$@"
}

# alternative LINK PATH PRIORITY [LINK PATH PRIORITY ...]
alternative() {
	(($# && $# % 3 == 0)) || abdie "alternatives: give LINK PATH PRIORITY, not: $*"
	while (($#)); do
		printf 'update-alternatives --quiet --install %s\n' "$(_quote "$1" "${1##*/}" "$2" "$3")" >>"$_FRAGMENTS/postinst"
		# On an upgrade the alternative stays, and with it what the user chose.
		# shellcheck disable=SC2016 # $1 is the script's
		printf '[ "$1" = upgrade ] || update-alternatives --quiet --remove %s\n' "$(_quote "${1##*/}" "$2")" >>"$_FRAGMENTS/prerm"
		shift 3
	done
}

# group NAME GID
group() {
	printf 'getent group %s>/dev/null || groupadd --system --gid %s\n' "$(_quote "$1")" "$(_quote "$2" "$1")" >>"$_FRAGMENTS/postinst"
}

# user NAME UID GROUP HOME COMMENT SHELL [GROUP...]
user() {
	local options=(--system --uid "$2" --gid "$3" --home-dir "$4" --comment "$5" --shell "$6")
	(($# < 7)) || options+=(--groups "$(IFS=, && echo "${*:7}")")
	printf 'getent passwd %s>/dev/null || useradd %s\n' "$(_quote "$1")" "$(_quote "${options[@]}" "$1")" >>"$_FRAGMENTS/postinst"
}

# _write_script NAME FOLDER
_write_script() {
	local own=/dev/null fragment=$_FRAGMENTS/$1 interpreter='#!/bin/bash' first=
	if find_variant "$1"; then own=$REPLY; fi
	[[ $own != /dev/null || -e $fragment ]] || return 0
	read -r first <"$own" || true
	if [[ $first == '#!'* ]]; then
		interpreter=$first
		[[ ! -e $fragment || $first =~ sh( |$) ]] ||
			abdie "E102: $1 is no shell script: alternatives and users cannot be added to it"
	fi
	{
		printf '%s\n' "$interpreter"
		[[ ! -e $fragment ]] || cat "$fragment"
		if [[ $interpreter == "$first" ]]; then tail -n +2 "$own"; else cat "$own"; fi
	} >"$2/$1"
	chmod 755 "$2/$1"
}
