# shellcheck shell=bash
# DEBIAN/control, from the variables of `defines`.

# The version as dpkg knows it: [epoch:]VER[-REL when it is not 0][stamp].
package_version() {
	REPLY=$PKGVER
	[[ $PKGREL == 0 ]] || REPLY+=-$PKGREL
	REPLY+=${LAPSTRAKE_VERSION_STAMP-}
	[[ $PKGEPOCH == 0 ]] || REPLY=$PKGEPOCH:$REPLY
}

package_architecture() {
	REPLY=$DPKG_ARCH
	[[ $ABHOST != noarch ]] || REPLY=all
}

# _write_common_fields FILE NAME DESCRIPTION SECTION FOLDER: the fields that every package has.
_write_common_fields() {
	local version architecture
	package_version
	version=$REPLY
	package_architecture
	architecture=$REPLY
	cat >"$1" <<-FIELDS
		Package: $2
		Version: $version
		Architecture: $architecture
		Section: $4
		Priority: optional
		Maintainer: $MTER
		Installed-Size: $(_installed_size "$5")
		Description: $(_description "$3")
		Description-md5: $(_description "$3" | md5sum | cut -d' ' -f1)
	FIELDS
	[[ $architecture != all ]] || printf 'Multi-Arch: foreign\n' >>"$1"
}

# The synopsis, then further lines in the form of control files.
_description() {
	printf '%s\n' "$1" | sed -e '1!s/^[[:blank:]]*$/./' -e '1!s/^/ /'
}

# KiB as dpkg-gencontrol counts them: each file rounded up, 1 for all else; no matter what disk.
_installed_size() {
	find "$1" -path "$1/DEBIAN" -prune -o -printf '%y %s %i %n\n' | awk '
		$1 == "f" { if ($4 > 1 && seen[$3]++) next; total += int(($2 + 1023) / 1024); next }
		{ total += 1 }
		END { print total + 0 }'
}

# write_control FILE: of the package itself.
write_control() {
	_write_common_fields "$1" "$PKGNAME" "$PKGDES" "$PKGSEC" "$PKGDIR"
	{
		! bool "${PKGESS-}" || printf 'Essential: yes\n'
		relation_field Pre-Depends PKGPRDEP
		relation_field Depends PKGDEP
		relation_field Recommends PKGRECOM
		relation_field Suggests PKGSUG
		relation_field Replaces PKGREP
		relation_field Conflicts PKGCONFL
		relation_field Breaks PKGBREAK
		relation_field Provides PKGPROV
	} >>"$1"
}

# write_debug_control FILE: of the package with the debug information.
write_debug_control() {
	local version
	_write_common_fields "$1" "$PKGNAME-dbg" "Debug information of $PKGNAME" debug "$SYMDIR"
	package_version
	version=$REPLY
	printf 'Depends: %s (= %s)\n' "$PKGNAME" "$version" >>"$1"
}
