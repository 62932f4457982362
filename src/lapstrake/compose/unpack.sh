# shellcheck shell=sh disable=SC2086 # lists of words, none of which has blanks
# Unpacks one package as dpkg would: $1 is a folder's name, $2 the package file's, $3 the package's
# as dpkg calls its files. Runs in the branch's root; that root's folders that are links into /usr
# are in the file "aliases". The folders that each package needs are there already. Few programs are
# called: there are thousands of packages.
set -eu
umask 022
read -r aliases < /var/lib/lapstrake/aliases || :
deb=/var/lib/lapstrake/packages/$2
cd "/var/lib/lapstrake/unpacked/$1"
info=var/lib/dpkg/info
control=tree/$info/$3
folders=
links=
merged=
patterns=
for name in $aliases; do
	folders="$folders tree/usr/$name"
	links="$links tree/$name"
	merged="$merged usr/$name"
	patterns="$patterns -e /$name -e /usr/$name"
done

[ -z "$merged" ] || ln -s $merged tree
# The folder of all packages' scripts is no place for a stranger's links: nothing may lead there
# to what other packages have.
{ dpkg-deb --ctrl-tarfile "$deb" || : > failed; } |
	tar -x -p -C scripts -f - --same-owner --warning=no-timestamp \
		--transform "s#^\(\./\)*\([^/.]\)#$3.\2#"
for file in scripts/*; do
	[ -f "$file" ] && [ ! -L "$file" ] || exit 1
done
mv "scripts/$3.control" control
set -- scripts/*
[ ! -e "$1" ] || mv "$@" "tree/$info"
{ dpkg-deb --fsys-tarfile "$deb" || : > failed; } |
	{ tar -x -v -p -C tree -f - --same-owner --keep-directory-symlink --quoting-style=literal \
		--warning=no-timestamp || : > failed; } |
	sed 's#^\./##; s#/$##; s#^#/#; s#^/$#/.#' > names
[ ! -e failed ]
mv -T names "$control.list"

: > sums
if [ -e "$control.conffiles" ]; then
	sed -n 's#^/#tree/#p' "$control.conffiles" | xargs -r -d '\n' md5sum > sums
fi
if [ ! -e "$control.md5sums" ]; then
	sed 's#^/##' "$control.list" | while IFS= read -r name; do
		[ -L "tree/$name" ] || [ ! -f "tree/$name" ] || printf '%s\n' "$name"
	done > files
	sed 's#^[0-9a-f]*  tree/##' sums | grep -vxF -f - files > hashed || [ $? = 1 ]
	(cd tree && xargs -r -d '\n' md5sum < ../hashed) > md5sums
	mv -T md5sums "$control.md5sums"
fi

listed=
[ -z "$patterns" ] || listed=$(grep -x $patterns "$control.list") || :
unlisted=
for name in $aliases; do
	case "$listed " in
	*"/$name"[[:space:]]*) ;;
	*) unlisted="$unlisted tree/usr/$name" ;;
	esac
done
rm -d -f $links $unlisted tree/usr 2>/dev/null || : # folders that are not empty stay
for link in $links; do
	[ ! -L "$link" ] || exit 1
done
# What the package did not bring has the time of what it did: the same bytes whenever it is unpacked.
touch -c -h -r control "$control.list" "$control.md5sums" tree tree/usr $folders \
	tree/var tree/var/lib tree/var/lib/dpkg "tree/$info"
