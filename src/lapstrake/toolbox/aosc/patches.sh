# shellcheck shell=bash
# Patches the sources, once: packages of one bundle share the patched tree.

# ab_apply_patches FILE...: -p1, without questions; without fuzz unless ABPATCHLAX.
ab_apply_patches() {
	_patch_with --forward "$@"
}

# ab_reverse_patches FILE...: takes patches out again.
ab_reverse_patches() {
	_patch_with --reverse "$@"
}

_patch_with() {
	local direction=$1 file fuzz=0
	! bool "$ABPATCHLAX" || fuzz=2
	for file in "${@:2}"; do
		abinfo "patch $direction: ${file##*/}"
		patch -p1 --fuzz="$fuzz" "$direction" --force --no-backup-if-mismatch --input="$file" ||
			abdie "${file##*/} does not apply (fuzz $fuzz; ABPATCHLAX=1 in defines allows 2)"
	done
}

# The patches to apply, in order, into REPLY_LIST: what `series` names, else the patches for any
# machine, then those for this one (NAME.patch.ARCH).
_find_patches() {
	local folder=$SRCDIR/autobuild/patches line
	if [[ ! -f $folder/series ]]; then
		REPLY_LIST=("$folder"/*.@(patch|diff) "$folder"/*.@(patch|diff)."$ARCH")
		return
	fi
	REPLY_LIST=()
	while read -r line _ || [[ $line ]]; do
		[[ -z $line || $line == '#'* ]] || REPLY_LIST+=("$folder/$line")
	done <"$folder/series"
}

patch_sources() {
	[[ ! -e $SRCDIR/.patch ]] || return 0
	cd "$SRCDIR"
	if find_variant patch; then
		abinfo "running the script patch"
		# shellcheck source=/dev/null
		. "$REPLY"
	elif [[ -d autobuild/patches ]]; then
		_find_patches
		ab_apply_patches "${REPLY_LIST[@]}"
		ab_reverse_patches autobuild/patches/*.@(rpatch|rdiff) autobuild/patches/*.@(rpatch|rdiff)."$ARCH"
	fi
	touch "$SRCDIR/.patch"
}
