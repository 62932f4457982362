# shellcheck shell=bash
# Strips programs and libraries; their debug information goes to $SYMDIR, found by build id.

filter_elf() {
	local file mode magic
	bool "$ABSTRIP" || return 0
	command -v strip >/dev/null || abdie "E202: stripping needs binutils"
	while IFS= read -rd '' file; do
		# Two bytes more than ELF's mark, so that an archive's shows too; NUL bytes are no text.
		IFS= read -rn 7 -d '' magic <"$file" || true
		[[ $magic == $'\x7fELF'* || $magic == '!<arch>' ]] || continue
		mode=$(stat -c %a "$file")
		_strip_file "$file" "$magic"
		chmod "$mode" "$file"
	done < <(find "$PKGDIR" -type f -size +7c -print0 | sort -z)
	_check_debug
}

# _strip_file FILE MAGIC
_strip_file() {
	local kind
	if [[ $2 == '!<arch>' ]]; then
		[[ $1 != *.a ]] || strip --strip-debug --enable-deterministic-archives \
			--remove-section='.gnu.lto_*' "$1"
		return
	fi
	kind=$(LC_ALL=C readelf --file-header "$1" 2>/dev/null | sed -n 's/^ *Type: *\([A-Z]*\).*/\1/p') || true
	case $kind in
	EXEC | DYN)
		_save_debug "$1"
		# Sections that only say who compiled it.
		strip --strip-unneeded --remove-section=.comment --remove-section=.note "$1" ||
			abwarn "strip does not know ${1#"$PKGDIR"}; left as it is"
		;;
	REL) strip --strip-debug --remove-section='.gnu.lto_*' "$1" || abwarn "strip does not know ${1#"$PKGDIR"}" ;;
	esac
}

_save_debug() {
	local id target
	bool "${ABSPLITDBG-yes}" || return 0
	id=$(LC_ALL=C readelf --notes "$1" 2>/dev/null | sed -n 's/^ *Build ID: *\([0-9a-f]*\)$/\1/p')
	[[ $id && $(LC_ALL=C readelf --section-headers --wide "$1") == *.debug_info* ]] || return 0
	target=$SYMDIR/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug
	mkdir -p "${target%/*}"
	objcopy --only-keep-debug --compress-debug-sections "$1" "$target"
	chmod 644 "$target"
}

# Who asks for a debug package shall not get none without a word.
_check_debug() {
	[[ ! -d $SYMDIR ]] || return 0
	! bool "${ABSPLITDBG-}" || abdie "ABSPLITDBG is set, but nothing has debug information"
}
