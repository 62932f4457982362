# shellcheck shell=bash
# qmake, then make. QT_SELECT (4, 5 or 6; default 5) chooses the Qt.

build_qtproj_probe() {
	compgen -G '*.pro' >/dev/null
}

# The qmake, into REPLY. Debian's `qmake` asks QT_SELECT itself.
_find_qmake() {
	export QT_SELECT=${QT_SELECT:-5}
	for REPLY in qmake{,-qt}"${QT_SELECT#qt}" qmake; do
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
