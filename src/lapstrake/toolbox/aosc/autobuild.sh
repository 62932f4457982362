#!/usr/bin/env bash
# Builds one package with the autobuild program of an AOSC root, and collects what it makes.
# autobuild.sh FOLDER, the bundle's `autobuild` or `NN-name`
shopt -s extglob nullglob

for part in messages steps definitions sources; do
	# shellcheck source=/dev/null
	. "$LAPSTRAKE_TOOLBOX/$part.sh"
done
SRCDIR=$LAPSTRAKE_SRCDIR

report_failures "${1##*/}"
stage_definitions "$1"
load_spec
# A line of its own, even when the last one of defines does not end.
printf '\nPKGVER=%q\nPKGREL=%q\n' "$PKGVER" "$PKGREL" >>"$SRCDIR/autobuild/defines"
begin_step build "${1##*/} with the root's autobuild"
cd "$SRCDIR"
rm -f ./*.deb
autobuild
begin_step pack "collecting packages"
packages=(./*.deb)
((${#packages[@]})) || abdie "autobuild ended well, but made no package"
mv -n "${packages[@]}" "$LAPSTRAKE_BUILDROOT/output/"
all_done
