# shellcheck shell=bash
# qmake, then make. QT_SELECT (4, 5 or 6) chooses the qmake.

build_qtproj_probe() {
	compgen -G '*.pro' >/dev/null
}

# The qmake, into REPLY.
_find_qmake() {
	for REPLY in ${QT_SELECT:+"qmake${QT_SELECT}" "qmake-qt${QT_SELECT}"} qmake qmake6 qmake-qt5; do
		! command -v "$REPLY" >/dev/null || return 0
	done
	abdie "E202: the root has no qmake (BUILDDEP)"
}

build_qtproj_configure() {
	local qmake options
	_find_qmake
	qmake=$REPLY
	words QTPROJ_DEF
	options=("${REPLY_LIST[@]}")
	((${#options[@]})) || options=(
		PREFIX="$PREFIX" "CONFIG+=force_debug_info"
		QMAKE_CFLAGS="$CFLAGS $CPPFLAGS" QMAKE_CXXFLAGS="$CXXFLAGS $CPPFLAGS" QMAKE_LFLAGS="$LDFLAGS"
	)
	words QTPROJ_AFTER
	"$qmake" "${options[@]}" "${REPLY_LIST[@]}"
}

build_qtproj_build() {
	run_make
}

build_qtproj_install() {
	run_make_install INSTALL_ROOT="$PKGDIR"
}
