# shellcheck shell=bash
# Cargo, with a lock file, offline: crates must be vendored. An audit needs the network.

build_rust_probe() {
	[[ -f Cargo.toml ]]
}

build_rust_configure() {
	[[ -f Cargo.lock ]] || abdie "E211: Cargo.lock is missing: the versions of crates are not pinned"
	export CARGO_HOME=$BLDDIR/cargo CARGO_TARGET_DIR=$BLDDIR/target CARGO_NET_OFFLINE=true
	export CARGO_PROFILE_RELEASE_STRIP=none
	bool "${ABSPLITDBG-yes}" && export CARGO_PROFILE_RELEASE_DEBUG=2
	bool "$NOLTO" || export CARGO_PROFILE_RELEASE_LTO=true
	export RUSTFLAGS="--remap-path-prefix=$SRCDIR=. -C link-arg=-Wl,--build-id=sha1 ${RUSTFLAGS-}"
	bool "${NOCARGOAUDIT-}" || abwarn "no cargo audit: the build is offline"
}

build_rust_build() {
	words CARGO_AFTER
	cargo build --release --locked --offline --jobs "$LAPSTRAKE_JOBS" "${REPLY_LIST[@]}"
}

# Cargo puts finished programs and libraries straight into release/.
build_rust_install() {
	local result
	for result in "$BLDDIR"/target/release/*; do
		if [[ $result == *.so ]]; then
			install -Dm755 -t "$PKGDIR$LIBDIR" "$result"
		elif [[ -f $result && -x $result ]]; then
			install -Dm755 -t "$PKGDIR$BINDIR" "$result"
		fi
	done
}
