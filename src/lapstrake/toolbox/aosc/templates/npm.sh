# shellcheck shell=bash
# A package of npm's, installed globally. An audit needs the network, which a build has not.

build_npm_probe() {
	[[ -f package.json ]]
}

build_npm_configure() {
	export npm_config_offline=true npm_config_audit=false npm_config_fund=false
	export npm_config_update_notifier=false npm_config_cache=$BLDDIR/cache
	bool "${NONPMAUDIT-}" || abwarn "no npm audit: the build is offline"
}

# Packed anew, so that patches are in it.
build_npm_build() {
	copy_sources "$BLDDIR/source"
	mkdir -p "$BLDDIR/packed"
	cd "$BLDDIR/source"
	npm pack --ignore-scripts --pack-destination "$BLDDIR/packed"
}

build_npm_install() {
	npm install --global --prefix "$PKGDIR$PREFIX" "$BLDDIR"/packed/*.tgz
}
