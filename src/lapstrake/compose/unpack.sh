# Unpacks one package as dpkg would: $1 is a folder's name, $2 the package file's, $3 the package's
# as dpkg calls its files. Runs in the branch's root; that root's folders that are links into /usr
# are in the file "aliases".
set -eu
umask 022
deb=/var/lib/lapstrake/packages/$2
mkdir -p "/var/lib/lapstrake/unpacked/$1/tree/var/lib/dpkg/info"
cd "/var/lib/lapstrake/unpacked/$1"
info=tree/var/lib/dpkg/info/$3
aliases=$(cat /var/lib/lapstrake/aliases)
dpkg-deb --control "$deb" control
for file in control/*; do
	[ "$file" = control/control ] || mv "$file" "$info.${file#control/}"
done
for name in $aliases; do
	mkdir -p "tree/usr/$name"
	ln -s "usr/$name" "tree/$name"
done
{ dpkg-deb --fsys-tarfile "$deb" || : > failed; } |
	tar -x -v -p -C tree -f - --same-owner --keep-directory-symlink --quoting-style=literal \
		--warning=no-timestamp > names
[ ! -e failed ]
sed 's#^\./##; s#/$##; s#^#/#; s#^/$#/.#' names > "$info.list"
: > sums
if [ -e "$info.conffiles" ]; then
	sed -n 's#^/#tree/#p' "$info.conffiles" | xargs -r -d '\n' md5sum > sums
fi
if [ ! -e "$info.md5sums" ]; then
	sed 's#^/##' "$info.list" | while IFS= read -r name; do
		[ -L "tree/$name" ] || [ ! -f "tree/$name" ] || printf '%s\n' "$name"
	done > files
	sed 's#^[0-9a-f]*  tree/##' sums | grep -vxF -f - files > hashed || [ $? = 1 ]
	(cd tree && xargs -r -d '\n' md5sum < ../hashed) > "$info.md5sums"
fi
for name in $aliases; do
	rm "tree/$name"
	grep -qx -e "/$name" -e "/usr/$name" "$info.list" || rmdir --ignore-fail-on-non-empty "tree/usr/$name"
done
rmdir --ignore-fail-on-non-empty tree/usr 2>/dev/null || :
# What the package did not bring has the time of what it did: the same bytes whenever it is unpacked.
touch -c -h -r control/control "$info.list" "$info.md5sums" tree tree/usr tree/var tree/var/lib \
	tree/var/lib/dpkg tree/var/lib/dpkg/info
for name in $aliases; do
	touch -c -h -r control/control "tree/usr/$name"
done
