# shellcheck shell=bash
# Waf: a Python program that the sources carry.

build_waf_probe() {
	[[ -f waf ]]
}

build_waf_configure() {
	local options
	words WAF_DEF
	options=("${REPLY_LIST[@]}")
	((${#options[@]})) || options=(--prefix="$PREFIX" --libdir="$LIBDIR")
	words WAF_AFTER
	python3 waf configure "${options[@]}" "${REPLY_LIST[@]}"
}

build_waf_build() {
	words ABMK
	python3 waf build --verbose --jobs="$ABTHREADS" "${REPLY_LIST[@]}"
}

build_waf_install() {
	python3 waf install --destdir="$PKGDIR"
}
