# shellcheck shell=bash
# No content: packages that only depend on others. Never probed.

build_dummy_build() {
	mkdir -p "$PKGDIR"
}
