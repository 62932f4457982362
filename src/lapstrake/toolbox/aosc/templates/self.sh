# shellcheck shell=bash
# The bundle's own script: it runs in the package's shell, and fills $PKGDIR.

build_self_probe() {
	find_variant build
}

build_self_build() {
	find_variant build || abdie "E102: ABTYPE=self without autobuild/build"
	# shellcheck source=/dev/null
	. "$REPLY"
}
