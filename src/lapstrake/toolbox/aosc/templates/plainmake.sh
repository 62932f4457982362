# shellcheck shell=bash
# A bare Makefile. Given up upstream at the end of 2025; bundles from before still name it.

build_plainmake_probe() {
	[[ -f Makefile || -f makefile || -f GNUmakefile ]]
}

build_plainmake_build() {
	run_make
}

# MAKE_INSTALL_DEF replaces the folders.
build_plainmake_install() {
	words MAKE_INSTALL_DEF
	((${#REPLY_LIST[@]})) || REPLY_LIST=(
		PREFIX="$PREFIX" prefix="$PREFIX" BINDIR="$BINDIR" SBINDIR="$BINDIR" LIBDIR="$LIBDIR"
		INCDIR="$INCDIR" MANDIR="$MANDIR"
	)
	run_make_install "${REPLY_LIST[@]}"
}
