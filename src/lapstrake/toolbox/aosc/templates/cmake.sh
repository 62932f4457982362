# shellcheck shell=bash
# CMake with Ninja (cmakeninja, probed first) or Make (cmake).

build_cmake_probe() {
	[[ -f CMakeLists.txt ]]
}

# Not whether there is a ninja: what is installed depends on the answer.
build_cmakeninja_probe() {
	build_cmake_probe
}

# The options of every project, into REPLY_LIST; CMAKE_DEF replaces them.
_cmake_options() {
	words CMAKE_DEF
	((${#REPLY_LIST[@]} == 0)) || return 0
	REPLY_LIST=(
		-DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_INSTALL_PREFIX="$PREFIX"
		-DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_INSTALL_SBINDIR=bin -DLIB_SUFFIX=
		-DCMAKE_INSTALL_SYSCONFDIR="$SYSCONF" -DCMAKE_INSTALL_LOCALSTATEDIR="$STATDIR"
		-DCMAKE_SKIP_INSTALL_RPATH=ON -DCMAKE_INSTALL_DO_STRIP=OFF
		-DCMAKE_INSTALL_SO_NO_EXE=OFF # Debian's default would fail our QA
		-DCMAKE_VERBOSE_MAKEFILE=ON -Wno-dev
	)
}

# Where to build: ABSHADOW_CMAKE says it for CMake alone.
_cmake_folder() {
	REPLY=$SRCDIR
	! bool "${ABSHADOW_CMAKE-$ABSHADOW}" || REPLY=$BLDDIR
}

_cmake_configure() {
	local options folder
	_cmake_folder
	folder=$REPLY
	_cmake_options
	options=("${REPLY_LIST[@]}")
	words CMAKE_AFTER
	# CMake does not know CPPFLAGS.
	CFLAGS="$CFLAGS $CPPFLAGS" CXXFLAGS="$CXXFLAGS $CPPFLAGS" \
		cmake -S "$SRCDIR" -B "$folder" -G "$1" "${options[@]}" "${REPLY_LIST[@]}"
}

build_cmake_configure() { _cmake_configure "Unix Makefiles"; }
build_cmakeninja_configure() { _cmake_configure Ninja; }

build_cmake_build() {
	local folder
	_cmake_folder
	folder=$REPLY
	words ABMK
	cmake --build "$folder" --parallel "$ABTHREADS" ${REPLY_LIST[0]+--target "${REPLY_LIST[@]}"}
}

build_cmake_install() {
	_cmake_folder
	DESTDIR=$PKGDIR cmake --install "$REPLY"
}

build_cmakeninja_build() { build_cmake_build; }
build_cmakeninja_install() { build_cmake_install; }
