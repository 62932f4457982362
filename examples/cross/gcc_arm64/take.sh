#!/bin/sh
# take.sh FOLDER: the compiler of the installed packages, laid out as in /usr, with all it needs of
# the host but the C library.
set -eu
target=aarch64-linux-gnu
folder=$1
version=$($target-gcc -dumpversion)

# No link-time optimization, second linker, profiles or sanitizers: they are most of it, and nobody
# here needs them.
unwanted='/(lto1|lto-wrapper|.*-lto-dump.*|.*-(ld\.gold|dwp|gprof)|.*gcov.*|lib[a-z]*san[._].*|plugin/.*|.*\.spec)$'

for package in binutils-$target gcc-$target gcc-$version-$target cpp-$target cpp-$version-$target \
    libgcc-$version-dev-arm64-cross; do
    dpkg -L "$package"
done | grep -E "^/usr/(bin|lib/gcc-cross|$target)/" | grep -Ev "$unwanted" | sed 's,^/usr/,,' |
    sort -u >files
rm -rf "$folder"
mkdir -p "$folder/hostlib"
tar -C /usr -cf - --no-recursion -T files | tar -C "$folder" -xf -

# Programs find the libraries of the host that they came with beside them, wherever that is.
find "$folder/bin" "$folder/lib/gcc-cross/$target/$version" -maxdepth 1 -type f -perm -u+x |
    while read -r program; do
        patchelf --print-needed "$program" >needed 2>/dev/null || continue # a script
        ldd "$program" | awk '$3 ~ /^\// { print $3 }' |
            grep -Ev '/lib(c|m|dl|pthread)\.so' | xargs -r cp -n -t "$folder/hostlib"
        up=$(dirname "${program#"$folder"/}" | sed 's,[^/]*,..,g')
        patchelf --set-rpath "\$ORIGIN/$up/hostlib" "$program"
    done
find "$folder/hostlib" -type f -exec patchelf --set-rpath "\$ORIGIN" {} +

test "$("$folder/bin/$target-gcc" -print-prog-name=cc1)" != cc1
