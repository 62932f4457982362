# shellcheck shell=bash
# Adds to $PKGDIR what the bundle brings, and the licences.

# overrides/ of the bundle go over what the build installed: for all machines, then for groups,
# then for this machine.
copy_overrides() {
	local folder group
	for group in . "${ARCH_GROUPS[@]}" "$ARCH"; do
		folder=$SRCDIR/autobuild/$group/overrides
		[[ -d $folder ]] || continue
		abinfo "copying overrides of $group"
		# Owners are root's: the checkout's are nobody's business.
		cp -R --no-dereference --preserve=mode,timestamps,links "$folder/." "$PKGDIR/"
	done
}

copy_licences() {
	local file target=$PKGDIR$DOCDIR/$PKGNAME found=
	for file in "$SRCDIR"/@(COPYING|LICENSE|LICENCE|COPYRIGHT)*; do
		[[ -f $file ]] || continue
		mkdir -p "$target"
		cp --dereference --no-preserve=all "$file" "$target/"
		found=yes
	done
	[[ $found || $ABTYPE == dummy ]] || abwarn "the sources have no COPYING*, LICENSE*, LICENCE* or COPYRIGHT*"
}

# write_conffiles FOLDER: what the user may change: the bundle's list, else all files below etc/.
write_conffiles() {
	local found=() said=() path listed
	while IFS= read -r path; do
		found+=("${path#"$PKGDIR"}")
	done < <(find "$PKGDIR/etc" -type f 2>/dev/null | LC_ALL=C sort)
	if find_variant conffiles; then
		listed=$REPLY
		while read -r path || [[ $path ]]; do
			[[ $path && $path != '#'* ]] || continue
			# dpkg refuses a list that names what is not there.
			if [[ -f $PKGDIR$path && ! -L $PKGDIR$path ]]; then said+=("$path"); else abwarn "conffiles: $path is no file of the package"; fi
		done <"$listed"
		for path in "${found[@]}"; do
			[[ " ${said[*]} " == *" $path "* ]] || abwarn "conffiles: $path is not listed"
		done
		found=("${said[@]}")
	fi
	((${#found[@]} == 0)) || printf '%s\n' "${found[@]}" >"$1/conffiles"
}
