# shellcheck shell=bash
# Chooses the template that builds the package.

# The first whose probe says yes. `ruby` and `dummy` only when ABTYPE says so. Overridden for one
# bundle by ABPROBE, for all by LAPSTRAKE_PROBE_ORDER. plainmake is last: nearly everything has a
# Makefile; pep517 goes before python, which upstream is giving up.
readonly PROBE_ORDER="self autotools cmakeninja autosetup cmake meson waf gomod pep517 perl rust python qtproj npm plainmake"

load_templates() {
	local template
	for template in "$LAPSTRAKE_TOOLBOX"/templates/*.sh; do
		# shellcheck source=/dev/null
		. "$template"
	done
}

# Sets ABTYPE, unless nothing fits: the sources as they came decide, before patches and prepare.
probe_template() {
	local type
	if [[ ${ABTYPE-} ]]; then
		declare -F "build_${ABTYPE}_build" >/dev/null || abdie "E102: ABTYPE=$ABTYPE is no template"
		return
	fi
	cd "$SRCDIR"
	words ABPROBE
	((${#REPLY_LIST[@]})) || read -ra REPLY_LIST <<<"${LAPSTRAKE_PROBE_ORDER:-$PROBE_ORDER}"
	for type in "${REPLY_LIST[@]}"; do
		declare -F "build_${type}_probe" >/dev/null || abdie "the probe order names $type, which is no template"
		if "build_${type}_probe"; then
			ABTYPE=$type
			return
		fi
	done
}

# After prepare, when only that brought something to build, or nothing did.
require_template() {
	probe_template
	[[ ${ABTYPE-} ]] ||
		abdie "E211: cannot determine the build type of ${SRCDIR##*/} (probed: ${REPLY_LIST[*]}); set ABTYPE in defines"
}

# Calls a function when the template (or the bundle) has it.
call_if_defined() {
	if declare -F "$1" >/dev/null; then
		cd "$SRCDIR"
		abinfo "running $1"
		"$1"
	fi
}

# Runs a template: it starts each function in $SRCDIR, and leaves a filled $PKGDIR. `defines` may
# hook in with functions BUILD_START, BUILD_READY and BUILD_FINAL.
run_template() {
	begin_step configure "$PKGNAME with $ABTYPE"
	call_if_defined BUILD_START
	call_if_defined "build_${ABTYPE}_configure"
	begin_step build "$PKGNAME with $ABTYPE"
	call_if_defined BUILD_READY
	call_if_defined "build_${ABTYPE}_build"
	begin_step install "$PKGNAME into ${PKGDIR#"$LAPSTRAKE_BUILDROOT/"}"
	call_if_defined "build_${ABTYPE}_install"
	call_if_defined BUILD_FINAL
	[[ -d $PKGDIR ]] || abdie "E211: the build left no $PKGDIR"
}
