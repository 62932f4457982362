# shellcheck shell=bash
# Makefile.PL, else Build.PL, into Perl's vendor folders.

build_perl_probe() {
	[[ -f Makefile.PL || -f Build.PL ]]
}

build_perl_configure() {
	export PERL_MM_USE_DEFAULT=1 PERL_AUTOINSTALL=--skipdeps
	words MAKE_AFTER
	if [[ -f Makefile.PL ]]; then
		perl Makefile.PL INSTALLDIRS=vendor NO_PACKLIST=1 NO_PERLLOCAL=1 "${REPLY_LIST[@]}"
	else
		perl Build.PL --installdirs vendor --create_packlist 0 "${REPLY_LIST[@]}"
	fi
}

build_perl_build() {
	if [[ -f Makefile.PL ]]; then make V=1; else ./Build; fi
}

build_perl_install() {
	if [[ -f Makefile.PL ]]; then
		make install V=1 DESTDIR="$PKGDIR"
	else
		./Build install --destdir "$PKGDIR"
	fi
}
