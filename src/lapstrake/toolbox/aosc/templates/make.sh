# shellcheck shell=bash
# make, as several templates run it. ABMK names the targets, MAKE_AFTER adds words.

run_make() {
	local targets
	words ABMK
	targets=("${REPLY_LIST[@]}")
	words MAKE_AFTER
	make V=1 "${targets[@]}" "${REPLY_LIST[@]}"
}

# run_make_install [WORD...]
run_make_install() {
	words MAKE_AFTER
	make install V=1 DESTDIR="$PKGDIR" "$@" "${REPLY_LIST[@]}"
}
