# shellcheck shell=bash
# Autosetup: a configure written in Tcl, then make.

build_autosetup_probe() {
	[[ -f auto.def && -f autosetup/autosetup && -f configure ]]
}

build_autosetup_configure() {
	local options
	words AUTOTOOLS_DEF
	options=("${REPLY_LIST[@]}")
	((${#options[@]})) || options=(
		--prefix="$PREFIX" --bindir="$BINDIR" --sbindir="$BINDIR" --libdir="$LIBDIR"
		--sysconfdir="$SYSCONF" --localstatedir="$STATDIR" --mandir="$MANDIR"
	)
	words AUTOTOOLS_AFTER
	./configure "${options[@]}" "${REPLY_LIST[@]}"
}

build_autosetup_build() {
	run_make
}

build_autosetup_install() {
	run_make_install
}
