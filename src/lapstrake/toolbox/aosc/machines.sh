# shellcheck shell=bash
# Machines by AOSC's names, the groups they are in, and questions that scripts of bundles ask.

# Debian's name -> AOSC's name, where they differ.
declare -grA _AOSC_NAME=(
	[armhf]=armv7hf [armel]=armv4 [i386]=i486 [loong64]=loongarch64 [mips64el]=loongson3
)

declare -grA _ARCH_GROUPS=(
	[alpha]="retro 64bit without_dotnet"
	[amd64]="mainline mainline_tier1 ocaml_native 64bit with_dotnet"
	[arm64]="mainline mainline_tier1 arm ocaml_native 64bit with_dotnet"
	[armv4]="retro arm 32bit without_dotnet"
	[armv6hf]="retro arm 32bit without_dotnet"
	[armv7hf]="retro arm 32bit with_dotnet"
	[i486]="retro 32bit without_dotnet"
	[ia64]="retro 64bit without_dotnet"
	[loongarch64]="mainline mainline_tier1 64bit without_dotnet"
	[loongarch64_nosimd]="mainline mainline_tier1 64bit without_dotnet"
	[loongson2f]="retro 64bit without_dotnet"
	[loongson3]="mainline mainline_tier2 64bit without_dotnet"
	[m68k]="retro 32bit without_dotnet"
	[mips64r6el]="64bit"
	[optenv32]="optenv"
	[powerpc]="retro 32bit without_dotnet"
	[ppc64]="retro 64bit without_dotnet"
	[ppc64el]="mainline mainline_tier2 ocaml_native 64bit without_dotnet"
	[riscv64]="mainline mainline_tier2 64bit without_dotnet"
)

# Sets ARCH (AOSC's name) and ABHOST, and DPKG_ARCH: what the root's dpkg calls this machine.
name_machine() {
	ARCH=${_AOSC_NAME[$LAPSTRAKE_ARCH]:-$LAPSTRAKE_ARCH}
	ABHOST=$ARCH
	DPKG_ARCH=$LAPSTRAKE_ARCH
	# AOSC's own dpkg uses AOSC's names.
	[[ $(dpkg --print-architecture) != "$ARCH" ]] || DPKG_ARCH=$ARCH
	read -ra ARCH_GROUPS <<<"${_ARCH_GROUPS[$ARCH]-}"
	export ARCH
}

# bool VALUE: 0 for yes, 1 for no, 2 for anything else (which thus tests as no).
bool() {
	case ${1-} in
	1 | [Yy] | [Yy][Ee][Ss] | [Tt] | [Tt][Rr][Uu][Ee]) return 0 ;;
	'' | 0 | [Nn] | [Nn][Oo] | [Ff] | [Ff][Aa][Ll][Ss][Ee]) return 1 ;;
	*) return 2 ;;
	esac
}

# ab_match_arch PATTERN: whether this machine's name matches, in full, an extended glob.
ab_match_arch() {
	# shellcheck disable=SC2053 # the right side is a pattern on purpose
	[[ $ARCH == $1 ]]
}

# ab_match_archgroup PATTERN: whether one of this machine's groups matches, in full.
ab_match_archgroup() {
	local group
	for group in "${ARCH_GROUPS[@]}"; do
		# shellcheck disable=SC2053
		[[ $group != $1 ]] || return 0
	done
	return 1
}

# Ends the build when FAIL_ARCH or ALLOW_ARCH excludes this machine.
check_machine() {
	[[ -z ${FAIL_ARCH-} || -z ${ALLOW_ARCH-} ]] ||
		abdie "E102: FAIL_ARCH and ALLOW_ARCH exclude each other"
	if [[ ${FAIL_ARCH-} ]] && ab_match_arch "$FAIL_ARCH"; then
		abdie "$PKGNAME is not for $ARCH: FAIL_ARCH=\"$FAIL_ARCH\""
	elif [[ ${ALLOW_ARCH-} ]] && ! ab_match_arch "$ALLOW_ARCH"; then
		abdie "$PKGNAME is not for $ARCH: ALLOW_ARCH=\"$ALLOW_ARCH\""
	fi
}
