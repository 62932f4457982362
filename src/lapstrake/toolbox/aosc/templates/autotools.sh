# shellcheck shell=bash
# configure, make, make install; `configure` is generated anew unless RECONF=0.

build_autotools_probe() {
	[[ (-f autogen.sh && -x autogen.sh) || (-f bootstrap && -x bootstrap) || -f configure.ac || -f configure.in ]]
}

# Old sources know no machine of today: puts the root's config.guess and config.sub in.
build_autotools_update_base() {
	local name found target
	for name in config.guess config.sub; do
		found=
		for found in /usr/bin/"$name" /usr/share/misc/"$name" /usr/share/automake-*/"$name"; do
			[[ ! -e $found ]] || break
		done
		[[ $found && -e $found ]] || continue
		for target in "$SRCDIR"/**/"$name"; do
			abinfo "taking ${target#"$SRCDIR/"} from $found"
			rm -f "$target"
			install -m755 "$found" "$target"
		done
	done
}

build_autotools_regenerate() {
	if [[ -f bootstrap && -x bootstrap ]]; then
		./bootstrap
	elif [[ -f autogen.sh && -x autogen.sh ]]; then
		NOCONFIGURE=1 ./autogen.sh
	elif [[ -f configure.ac || -f configure.in ]]; then
		autoreconf --force --verbose --install
	else
		abwarn "RECONF: there is nothing to generate configure from"
	fi
}

# The options of every configure, into REPLY_LIST; AUTOTOOLS_DEF replaces them.
_autotools_options() {
	words AUTOTOOLS_DEF
	((${#REPLY_LIST[@]} == 0)) || return 0
	REPLY_LIST=(
		--prefix="$PREFIX" --bindir="$BINDIR" --sbindir="$BINDIR" --libdir="$LIBDIR"
		--sysconfdir="$SYSCONF" --localstatedir="$STATDIR" --mandir="$MANDIR" --infodir="$INFODIR"
	)
	[[ -z $AB_BUILD_TRIPLE ]] || REPLY_LIST+=(--build="$AB_BUILD_TRIPLE")
	! bool "$AUTOTOOLS_STRICT" || REPLY_LIST+=(--enable-option-checking=fatal)
}

build_autotools_configure() {
	local options
	bool "${NOCONFIGGUESS-}" || build_autotools_update_base
	! bool "$RECONF" || build_autotools_regenerate
	[[ -x configure ]] || abdie "E211: there is no configure to run; is RECONF off?"
	! bool "$ABSHADOW" || { mkdir -p "$BLDDIR" && cd "$BLDDIR"; }
	_autotools_options
	options=("${REPLY_LIST[@]}")
	words AUTOTOOLS_AFTER
	"$SRCDIR/configure" "${options[@]}" "${REPLY_LIST[@]}"
}

build_autotools_build() {
	! bool "$ABSHADOW" || cd "$BLDDIR"
	run_make
}

build_autotools_install() {
	! bool "$ABSHADOW" || cd "$BLDDIR"
	run_make_install
}
