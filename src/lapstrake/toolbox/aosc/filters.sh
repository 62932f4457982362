# shellcheck shell=bash
# Takes out of a package what does not belong there, and compresses manuals.

filter_content() {
	_drop_bookkeeping
	_drop_link_archives
	_compress_manuals "$PKGDIR$INFODIR"/** "$PKGDIR$MANDIR"/**
}

# Files that each package would own, and that only the system as a whole can keep.
_drop_bookkeeping() {
	find "$PKGDIR" \( -name perllocal.pod -o -name .packlist \) -type f -delete
	rm -f "$PKGDIR$INFODIR/dir"
}

# libtool's descriptions and static libraries, unless the bundle wants them. What links statically
# by nature stays.
_drop_link_archives() {
	! bool "$NOLIBTOOL" || find "$PKGDIR" -name '*.la' -type f -delete
	! bool "$NOSTATIC" || find "$PKGDIR" -name '*.a' ! -name '*.dll.a' ! -name '*nonshared.a' \
		! -name libgcc\* -type f -delete
}

# xz without a time stamp; links to manuals get new targets.
_compress_manuals() {
	local file target
	for file; do
		if [[ -L $file ]]; then
			target=$(readlink "$file")
			# A link to a folder of manuals keeps its name.
			[[ ! -d $file && $file != *.@(gz|xz|bz2|zst) && $target != *.@(gz|xz|bz2|zst) ]] || continue
			ln -s "$target.xz" "$file.xz"
			rm "$file"
		elif [[ -f $file && $file != *.@(gz|xz|bz2|zst|png|jpg|html) ]]; then
			xz --format=xz --threads=1 --force "$file" # --force: hard links, set-id bits
		fi
	done
}
