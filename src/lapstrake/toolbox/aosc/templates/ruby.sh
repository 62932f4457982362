# shellcheck shell=bash
# A gem: the fetched one, or made from a .gemspec. Never probed.

# The gem to install, into REPLY.
_find_gem() {
	local gems=("$SRCDIR"/*.gem) specs=("$SRCDIR"/*.gemspec) fetched
	REPLY=$BLDDIR/$PKGNAME-$PKGVER.gem
	mkdir -p "$BLDDIR"
	read -r fetched <<<"${LAPSTRAKE_SOURCES-}"
	if ((${#gems[@]})); then
		REPLY=${gems[0]}
	elif [[ $fetched ]] && tar -tf "$LAPSTRAKE_BUILDROOT/$fetched" metadata.gz data.tar.gz >/dev/null 2>&1; then
		cp "$LAPSTRAKE_BUILDROOT/$fetched" "$REPLY"
	elif ((${#specs[@]})); then
		gem build --output "$REPLY" "${specs[0]}"
	else
		abdie "E211: there is neither a gem nor a .gemspec"
	fi
}

build_ruby_build() {
	_find_gem
	AB_GEM=$REPLY
}

build_ruby_install() {
	local folder
	# One of the folders where gem looks by default; Gem.default_dir is Debian's /var/lib/gems.
	folder=$LIBDIR/ruby/gems/$(ruby -e 'print RbConfig::CONFIG["ruby_version"]')
	gem install --local --force --ignore-dependencies --no-document --no-user-install \
		--install-dir "$PKGDIR$folder" --bindir "$PKGDIR$BINDIR" "$AB_GEM"
	rm -rf "$PKGDIR$folder"/{cache,doc,build_info}
}
