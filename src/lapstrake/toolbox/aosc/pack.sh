# shellcheck shell=bash
# Packs $PKGDIR, and $SYMDIR when there is one, into packages: the same bytes from the same content.

pack_package() {
	local control=$PKGDIR/DEBIAN packed=()
	cd "$SRCDIR"
	mkdir -p "$control"
	write_conffiles "$control"
	write_maintainer_scripts "$control"
	write_control "$control/control"
	_pack "$PKGDIR" "$PKGNAME"
	if [[ -d $SYMDIR ]]; then
		mkdir -p "$SYMDIR/DEBIAN"
		write_debug_control "$SYMDIR/DEBIAN/control"
		_pack "$SYMDIR" "$PKGNAME-dbg"
	fi
	# So that later packages of the bundle can build with this one; the host says so where the root
	# is thrown away.
	! bool "${LAPSTRAKE_INSTALL_RESULTS-}" || dpkg --install --force-depends "${packed[@]}"
}

# _pack FOLDER NAME: the file's name always has the revision, and never the epoch.
_pack() {
	local file architecture options=(-Zzstd -z3 --threads-max=1)
	package_architecture
	architecture=$REPLY
	file=$LAPSTRAKE_BUILDROOT/output/$2_$PKGVER-$PKGREL${LAPSTRAKE_VERSION_STAMP-}_$architecture.deb
	[[ ! -e $file ]] || abdie "two packages of this bundle want to be ${file##*/}"
	[[ ${LAPSTRAKE_DEB_COMPRESSION-zstd} == zstd ]] || options[0]=-Z$LAPSTRAKE_DEB_COMPRESSION
	((EUID == 0)) || options+=(--root-owner-group)
	_write_md5sums "$1"
	chmod -R u+w "$1/DEBIAN"
	# dpkg-deb takes times after SOURCE_DATE_EPOCH back to it.
	dpkg-deb "${options[@]}" --build "$1" "$file.part"
	mv "$file.part" "$file"
	packed+=("$file")
	abinfo "made ${file##*/}"
}

_write_md5sums() {
	(
		cd "$1"
		find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z |
			xargs -0 -r md5sum >DEBIAN/md5sums
	)
	[[ -s $1/DEBIAN/md5sums ]] || rm "$1/DEBIAN/md5sums"
}
