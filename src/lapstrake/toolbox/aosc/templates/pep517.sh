# shellcheck shell=bash
# pyproject.toml: a wheel, built without isolation (we are offline), then installed.

build_pep517_probe() {
	[[ -f pyproject.toml ]]
}

build_pep517_build() {
	# Backends that look for packages by themselves would find autobuild/ beside them.
	copy_sources "$BLDDIR/source"
	cd "$BLDDIR/source"
	python3 -m build --no-isolation --wheel --outdir "$BLDDIR/wheel"
}

build_pep517_install() {
	python3 -m installer --destdir="$PKGDIR" "$BLDDIR"/wheel/*.whl
}
