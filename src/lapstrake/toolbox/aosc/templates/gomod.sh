# shellcheck shell=bash
# Go modules, offline: what a module needs must be vendored. GO_PACKAGES names what to build.

build_gomod_probe() {
	[[ -f go.mod && -f go.sum ]]
}

build_gomod_configure() {
	export GOPATH=$BLDDIR/go GOCACHE=$BLDDIR/cache GOPROXY=off GOSUMDB=off GOTOOLCHAIN=local
	export GOFLAGS="-trimpath -buildmode=pie -mod=readonly"
	[[ ! -d vendor ]] || GOFLAGS="-trimpath -buildmode=pie -mod=vendor"
	export CGO_CFLAGS=$CFLAGS CGO_CPPFLAGS=$CPPFLAGS CGO_CXXFLAGS=$CXXFLAGS CGO_LDFLAGS=$LDFLAGS
	! bool "$NOLTO" || return 0
	# cgo's own objects do not take part in LTO.
	CGO_CFLAGS=${CGO_CFLAGS/-flto=auto/} CGO_CXXFLAGS=${CGO_CXXFLAGS/-flto=auto/}
	CGO_LDFLAGS=${CGO_LDFLAGS/-flto=auto/}
}

build_gomod_build() {
	local packages linker
	words GO_PACKAGES
	packages=("${REPLY_LIST[@]:-.}")
	words GO_LDFLAGS
	linker=("${REPLY_LIST[@]}")
	words GO_BUILD_AFTER
	mkdir -p "$BLDDIR/bin"
	go build -o "$BLDDIR/bin/" -p "$LAPSTRAKE_JOBS" -ldflags "${linker[*]}" "${REPLY_LIST[@]}" "${packages[@]}"
}

build_gomod_install() {
	install -Dm755 -t "$PKGDIR$BINDIR" "$BLDDIR"/bin/*
}
