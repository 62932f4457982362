# shellcheck shell=bash
# Puts the sources into the state that a build expects.

# stage_definitions FOLDER: makes it $SRCDIR/autobuild.
stage_definitions() {
	[[ $(readlink -f "$1") != $(readlink -f "$SRCDIR/autobuild") ]] || return 0
	rm -rf "$SRCDIR/autobuild"
	cp -R "$1" "$SRCDIR/autobuild"
}

# Drops what an earlier package of the bundle left, makes all root's, and strips set-id bits: a
# set-group-id folder hands its bit on to all folders below it, DEBIAN/ too, which dpkg refuses.
clean_sources() {
	rm -rf "$BLDDIR" "$PKGDIR" "$SYMDIR"
	((EUID)) || chown -hR 0:0 "$SRCDIR"
	find "$SRCDIR" -perm /6000 ! -type l -exec chmod ug-s {} +
}

# Offered to scripts that ask git for a version. A checkout whose source says copy-repo=true has
# its history; for the others the host keeps it, so a history of one commit stands in.
acbs_copy_git() {
	[[ ! -e $SRCDIR/.git ]] || return 0
	command -v git >/dev/null || abdie "E202: acbs_copy_git needs git (BUILDDEP)"
	abwarn "acbs_copy_git: the history is not at hand; add copy-repo=true to SRCS if it matters"
	_commit_all -C "$SRCDIR"
}

_commit_all() {
	local -x GIT_AUTHOR_DATE="@$SOURCE_DATE_EPOCH +0000" GIT_COMMITTER_DATE="@$SOURCE_DATE_EPOCH +0000"
	local git=(git "$@" -c user.name=build -c user.email=build@localhost -c gc.auto=0)
	"${git[@]}" init --quiet
	"${git[@]}" add --all
	"${git[@]}" commit --quiet --allow-empty --message "$PKGVER"
	"${git[@]}" tag "$PKGVER" || abwarn "acbs_copy_git: $PKGVER cannot be a tag"
}

# A copy of the sources without what the build itself put there, for tools that take all they find
# into the package. copy_sources FOLDER
copy_sources() {
	mkdir -p "$1"
	(
		cd "$SRCDIR"
		tar --create --exclude=./autobuild --exclude=./abbuild --exclude=./abdist --exclude=./abdist-dbg \
			--exclude=./.patch . | tar --extract --directory="$1"
	)
}
