#!/bin/sh
# take.sh FOLDER: the compiler of the installed packages, laid out as in /usr.
set -eu
target=aarch64-linux-gnu
folder=$1
version=$($target-gcc -dumpversion)

# No link-time optimization, coverage or sanitizers: they are most of it, and nobody here needs them.
unwanted='/(lto1|lto-wrapper|.*-lto-dump.*|.*gcov.*|lib[a-z]*san[._].*|plugin/.*|.*\.spec)$'

for package in binutils-$target gcc-$target gcc-$version-$target cpp-$target cpp-$version-$target \
    libgcc-$version-dev-arm64-cross; do
    dpkg -L "$package"
done | grep -E "^/usr/(bin|lib|$target)/" | grep -Ev "$unwanted" | sed 's,^/usr/,,' | sort -u >files
rm -rf "$folder"
mkdir "$folder"
tar -C /usr -cf - --no-recursion -T files | tar -C "$folder" -xf -
test "$("$folder/bin/$target-gcc" -print-prog-name=cc1)" != cc1
