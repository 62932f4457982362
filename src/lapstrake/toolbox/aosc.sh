#!/usr/bin/env bash
# Builds an AOSC bundle inside a root; runs as root of the root, offline.
#
#   bash toolbox/aosc.sh            build, results in $LAPSTRAKE_BUILDROOT/output
#   bash toolbox/aosc.sh --probe    only print the template of each package, one per line
#
# The host staged toolbox/, bundle/, build/ and the fetched files below $LAPSTRAKE_BUILDROOT and
# tells the rest in LAPSTRAKE_* variables: see aosc/README.md.
set -eE

: "${LAPSTRAKE_BUILDROOT:?must name the folder that the host staged}"
: "${LAPSTRAKE_SRCDIR:=$LAPSTRAKE_BUILDROOT/build}"
: "${LAPSTRAKE_ARCH:=$(dpkg --print-architecture)}"
: "${LAPSTRAKE_JOBS:=$(nproc)}"
: "${SOURCE_DATE_EPOCH:=0}"
export LAPSTRAKE_BUILDROOT LAPSTRAKE_SRCDIR LAPSTRAKE_ARCH LAPSTRAKE_JOBS SOURCE_DATE_EPOCH
export LAPSTRAKE_TOOLBOX=$LAPSTRAKE_BUILDROOT/toolbox/aosc

# shellcheck source=/dev/null
. "$LAPSTRAKE_TOOLBOX/messages.sh"
# shellcheck source=/dev/null
. "$LAPSTRAKE_TOOLBOX/steps.sh"

# The folders of the bundle with a `defines` each, in building order, into REPLY_LIST: `autobuild`,
# or the numbered folders of a bundle that makes several packages.
find_packages() {
	local bundle=$LAPSTRAKE_BUILDROOT/bundle defines name
	REPLY_LIST=()
	if [[ -f $bundle/autobuild/defines ]]; then
		REPLY_LIST=("$bundle/autobuild")
		return
	fi
	for defines in "$bundle"/*/defines; do
		[[ -f $defines ]] || continue
		name=$(basename "$(dirname "$defines")")
		[[ $name =~ ^[0-9][0-9]-[a-z0-9][a-z0-9.+-]*$ ]] ||
			abdie "E103: $name/ has a defines, but is not called NN-name (two digits, a dash, a package name)"
		REPLY_LIST+=("$bundle/$name")
	done
	((${#REPLY_LIST[@]})) || abdie "E102: the bundle has neither autobuild/defines nor NN-name/defines"
}

build_packages() {
	local builder=package.sh folder
	if command -v autobuild >/dev/null; then
		builder=autobuild.sh
		abinfo "this root has its own autobuild: it builds the package"
	fi
	mkdir -p "$LAPSTRAKE_BUILDROOT/output" "$LAPSTRAKE_SRCDIR"
	for folder in "${REPLY_LIST[@]}"; do
		# A process of its own for each: no variable or function of one reaches the next.
		bash "$LAPSTRAKE_TOOLBOX/$builder" "$folder"
	done
	compgen -G "$LAPSTRAKE_BUILDROOT/output/*.deb" >/dev/null ||
		abdie "the build ended without a package"
}

umask 022
if [[ ${1-} == --probe ]]; then
	begin_step prepare "looking for the template" >&2
	find_packages
	for folder in "${REPLY_LIST[@]}"; do
		bash "$LAPSTRAKE_TOOLBOX/package.sh" "$folder" --probe
	done
	exit
fi
begin_step prepare "reading the bundle"
find_packages
build_packages
