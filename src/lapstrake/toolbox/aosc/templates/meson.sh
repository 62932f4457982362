# shellcheck shell=bash
# Meson with Ninja; wraps are never downloaded.

build_meson_probe() {
	[[ -f meson.build ]]
}

build_meson_configure() {
	local options
	words MESON_DEF
	options=("${REPLY_LIST[@]}")
	((${#options[@]})) || options=(
		--buildtype=debugoptimized --wrap-mode=nodownload --prefix="$PREFIX" --sbindir=bin
		--libdir=lib --sysconfdir="$SYSCONF" --localstatedir="$STATDIR"
	)
	words MESON_AFTER
	meson setup "${options[@]}" "${REPLY_LIST[@]}" "$SRCDIR" "$BLDDIR"
}

build_meson_build() {
	words ABMK
	ninja -C "$BLDDIR" -v -j "$ABTHREADS" "${REPLY_LIST[@]}"
}

build_meson_install() {
	DESTDIR=$PKGDIR meson install -C "$BLDDIR" --no-rebuild
}
