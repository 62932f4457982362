#!/usr/bin/env bash
# Builds one package of an AOSC bundle. package.sh FOLDER [--probe]
#
# FOLDER is the bundle's `autobuild` or `NN-name`; it becomes $SRCDIR/autobuild, where scripts
# expect it. The order of what happens here is AOSC's and scripts rely on it.
shopt -s extglob globstar nullglob

for part in messages steps machines definitions defaults flags patches probe sources \
	filters elf content scripts qa relations control pack; do
	# shellcheck source=/dev/null
	. "$LAPSTRAKE_TOOLBOX/$part.sh"
done

SRCDIR=$LAPSTRAKE_SRCDIR
BLDDIR=$SRCDIR/abbuild
PKGDIR=$SRCDIR/abdist
SYMDIR=$SRCDIR/abdist-dbg
export SRCDIR BLDDIR PKGDIR SYMDIR

# Python of Debian installs below usr/local unless told that this is packaging.
export DEB_PYTHON_INSTALL_LAYOUT=deb
ABPY3VER=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
export ABPY3VER

read_bundle() {
	name_machine
	load_spec
	load_defines
	check_machine
}

set_up_compiler() {
	choose_compiler
	# Once more, now that a compiler is chosen: defines may look at it.
	load_defines
	set_flags
}

prepare() {
	begin_step prepare "$PKGNAME $PKGVER"
	probe_template
	patch_sources
	cd "$SRCDIR"
	if find_variant prepare; then
		abinfo "running the script prepare"
		# shellcheck source=/dev/null
		. "$REPLY"
	fi
	require_template
}

finish_content() {
	cd "$SRCDIR"
	if find_variant beyond; then
		abinfo "running the script beyond"
		# shellcheck source=/dev/null
		. "$REPLY"
	fi
	filter_content
	filter_elf
	copy_overrides
	copy_licences
}

main() {
	report_failures "${1##*/}"
	stage_definitions "$1"
	read_bundle
	load_templates
	if [[ ${2-} == --probe ]]; then
		require_template
		printf '%s\n' "$ABTYPE"
	else
		set_up_compiler
		begin_step qa "the definitions of ${PKGNAME-${1##*/}}"
		check_definitions
		clean_sources
		prepare
		run_template
		finish_content
		begin_step qa "the content of $PKGNAME"
		check_content
		begin_step pack "$PKGNAME"
		pack_package
	fi
	all_done
}

main "$@"
