# shellcheck shell=bash
# The compiler, its flags and make's, from the switches of `defines`.

choose_compiler() {
	if bool "$USECLANG"; then
		command -v clang >/dev/null || abdie "E202: USECLANG is set, but the root has no clang"
		CC=clang CXX=clang++ OBJC=clang CPP=clang-cpp
	else
		CC=gcc CXX=g++ OBJC=gcc CPP=cpp
	fi
	export CC CXX OBJC CPP
	# Names the machine in `configure --build`. There is no compiler in a root for scripts only.
	AB_BUILD_TRIPLE=$("$CC" -dumpmachine 2>/dev/null || true)
}

# _flag_if SWITCH FLAG...: adds flags to _common when a switch is on.
_flag_if() {
	! bool "${!1-}" || _common+=("${@:2}")
}

_common_flags() {
	_common=(-pipe)
	if bool "$AB_FLAGS_O3"; then _common+=(-O3); elif bool "$AB_FLAGS_OS"; then _common+=(-Os); else _common+=(-O2); fi
	# Profilers see whole stacks; the folder of the build stays out of the results.
	_common+=(-fno-omit-frame-pointer "-ffile-prefix-map=$SRCDIR=.")
	[[ $ARCH != @(amd64|arm64) || $CC != gcc ]] || _common+=(-mno-omit-leaf-frame-pointer)
	bool "${ABSPLITDBG-yes}" && _common+=(-g)
	_flag_if AB_FLAGS_SSP -fstack-protector-strong
	_flag_if AB_FLAGS_SCP -fstack-clash-protection
	_flag_if AB_FLAGS_PIC -fPIC
	_flag_if AB_FLAGS_PIE -fPIE
	[[ $ARCH != amd64 ]] || _flag_if AB_FLAGS_CFP -fcf-protection
	_lto_flags
}

_lto_flags() {
	_lto=()
	! bool "$NOLTO" || return 0
	if [[ $CC == clang ]]; then
		_lto=(-flto)
	else
		_lto=(-flto=auto)
		# A static library with nothing but LTO's code is of no use to other compilers.
		if bool "$FATLTO" || ! bool "$NOSTATIC"; then _lto+=(-ffat-lto-objects); fi
	fi
	_common+=("${_lto[@]}")
}

# Sets and exports CFLAGS, CXXFLAGS, CPPFLAGS, LDFLAGS ...; *_FLAGS of the bundle come last.
set_flags() {
	local _common _lto linker=(-Wl,-O1 -Wl,--as-needed -Wl,--build-id=sha1)
	_common_flags
	bool "$AB_FLAGS_RRO" && linker+=(-Wl,-z,relro)
	bool "$AB_FLAGS_NOW" && linker+=(-Wl,-z,now)
	bool "$AB_FLAGS_PIE" && linker+=(-pie)
	CPPFLAGS=
	! bool "$AB_FLAGS_FTF" || CPPFLAGS="-D_FORTIFY_SOURCE=3"
	CFLAGS="${_common[*]}"
	! bool "$AB_FLAGS_EXC" || CFLAGS+=" -fexceptions"
	CXXFLAGS="${_common[*]}" OBJCFLAGS="${_common[*]}"
	LDFLAGS="${linker[*]} ${_lto[*]}"
	MAKEFLAGS="-j$((LAPSTRAKE_JOBS + 1))"
	! bool "$NOPARALLEL" || MAKEFLAGS=-j1
	ABTHREADS=${ABTHREADS:-${MAKEFLAGS#-j}}
	export CPPFLAGS CFLAGS CXXFLAGS OBJCFLAGS LDFLAGS MAKEFLAGS ABTHREADS
}
