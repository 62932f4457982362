#!/bin/bash
# Build a Debian source package inside a root: unpack, dpkg-buildpackage, collect.
#
# Besides the variables every driver gets:
#   LAPSTRAKE_DSC       the .dsc file's name; empty: build the tree in bundle/
#   LAPSTRAKE_KIND      full | any | all: dpkg-buildpackage -b | -B | -A
#   LAPSTRAKE_PROFILES  build profiles, separated by blanks
#   LAPSTRAKE_BUILD_ARCH  the root's own architecture; cross-compiles when that is another one
#   DEB_BUILD_OPTIONS   kept, "parallel=N" is added
#   LAPSTRAKE_BUILDER   the numeric user to build as when root runs this (1000)

set -euo pipefail

: "${LAPSTRAKE_BUILDROOT:?}"
jobs=${LAPSTRAKE_JOBS:-1}
kind=${LAPSTRAKE_KIND:-full}
profiles=${LAPSTRAKE_PROFILES:-}
dsc=${LAPSTRAKE_DSC:-}
uid=${LAPSTRAKE_BUILDER:-1000}
work=$LAPSTRAKE_BUILDROOT/work
output=$LAPSTRAKE_BUILDROOT/output
export LC_ALL=C.UTF-8
drop=() # the words that make a command run as the builder; empty: as we are

step() {
    printf '%s\n' "$1" >"$LAPSTRAKE_BUILDROOT/step"
    printf '>>> %s: %s\n' "$1" "$2"
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Where the host put a fetched file.
find_source() {
    local folder
    for folder in build . bundle; do
        if [[ -f $LAPSTRAKE_BUILDROOT/$folder/$1 ]]; then
            realpath "$LAPSTRAKE_BUILDROOT/$folder/$1"
            return
        fi
    done
    fail "$1 is not among the fetched files"
}

# Who the build runs as: not root when that can be helped, as on Debian's own builders.
choose_builder() {
    [[ $(id -u) == 0 && $uid != 0 ]] || return 0
    # Programs ask for the builder's name; it is only given in a root of ours, where "/buildroot"
    # is: the local runner must not touch the host's passwd.
    if [[ $LAPSTRAKE_BUILDROOT == /buildroot ]] && ! grep -q "^[^:]*:[^:]*:$uid:" /etc/passwd; then
        printf 'builder:x:%s:%s:builder:/nonexistent:/usr/sbin/nologin\n' "$uid" "$uid" >>/etc/passwd
        grep -q "^[^:]*:[^:]*:$uid:" /etc/group || printf 'builder:x:%s:\n' "$uid" >>/etc/group
    fi
    if command -v setpriv >/dev/null; then
        drop=(setpriv --reuid "$uid" --regid "$uid" --clear-groups --)
    elif command -v runuser >/dev/null && getent passwd "$uid" >/dev/null; then
        drop=(runuser -u "$(getent passwd "$uid" | cut -d: -f1)" --)
    fi
    chown "$uid:$uid" "$work"
    if ! "${drop[@]}" test -w "$work"; then # a root with one mapped user only, or a private folder
        printf 'warning: cannot become user %s, building as root\n' "$uid"
        drop=()
    fi
}

# "Rules-Requires-Root: no" needs nothing; otherwise fakeroot, or else root.
choose_root() {
    ((${#drop[@]})) || return 0
    grep -qix 'Rules-Requires-Root:[[:space:]]*no[[:space:]]*' "$1/debian/control" && return
    command -v fakeroot >/dev/null && return
    printf 'warning: the package wants root and fakeroot is not installed, building as root\n'
    drop=()
    chown -R 0:0 "$work"
}

# The step is read off the headlines of debhelper and dpkg-buildpackage, which cost nothing, where
# hooks would cost a shell each. Perl, because dpkg-dev brings it, and it passes on each line at
# once.
follow_steps() {
    perl -e '
        use strict;
        $| = 1;
        my %rank = (prepare => 0, configure => 1, build => 2, qa => 3, install => 4, pack => 5);
        my $current = "prepare";
        my $built_first = 0;
        sub step {
            my ($name, $text) = @_;
            return if $rank{$name} <= $rank{$current};
            $current = $name;
            open(my $file, ">", $ARGV[0]) or die "$ARGV[0]: $!\n";
            print $file "$name\n";
            close($file);
            print ">>> $name: $text\n";
        }
        while (my $line = <STDIN>) {
            if ($line =~ m{^\s+(?:debian/rules (?:override|execute_before|execute_after)_)?dh_(\w+)}) {
                my $helper = $1;
                step("configure", "configure") if $helper =~ /^auto_configure/;
                step("build", "build") if $helper =~ /^auto_build/;
                step("qa", "test") if $helper =~ /^auto_test/;
                step("install", "install") if $helper =~ /^(?:prep$|auto_install|install)/;
                step("pack", "pack") if $helper =~ /^(?:gencontrol|md5sums|builddeb)/;
            } elsif ($line =~ m{^ (?:\S+ )?debian/rules (build\S*|binary\S*)$}) {
                # Who needs root for "binary" has built before; others do it all in "binary",
                # and say with debhelper where they are.
                my $target = $1;
                if ($target =~ /^build/) { $built_first = 1; step("build", "build") }
                elsif ($built_first) { step("install", "install") }
                else { step("configure", "configure and build") }
            } elsif ($line =~ m{^(?:dpkg-deb: building package| dpkg-gen(?:buildinfo|changes)\b)}) {
                step("pack", "pack");
            }
            print $line;
        }
    ' "$LAPSTRAKE_BUILDROOT/step"
}

case $kind in
full) kind_option=-b ;;
any) kind_option=-B ;;
all) kind_option=-A ;;
*) fail "LAPSTRAKE_KIND is '$kind', not full, any or all" ;;
esac

cross=() # the words that make dpkg-buildpackage cross-compile
if [[ ${LAPSTRAKE_BUILD_ARCH:-} && ${LAPSTRAKE_BUILD_ARCH} != "${LAPSTRAKE_ARCH:-}" ]]; then
    cross=(-a "$LAPSTRAKE_ARCH")
    # What configure scripts would find out by running programs (the package cross-config has it).
    site=/etc/dpkg-cross/cross-config.$LAPSTRAKE_ARCH
    [[ ! -f $site ]] || export CONFIG_SITE=$site
fi

step prepare "unpack ${dsc:-the tree}"
rm -rf "$work"
mkdir -p "$work" "$output"
choose_builder
tree=$work/source
if [[ $dsc ]]; then
    file=$(find_source "$dsc")
    # The sums in the .dsc are checked once more; of the signature only that there is no need for one.
    (cd "$work" && "${drop[@]}" dpkg-source --no-copy -x "$file" "$tree") ||
        fail "$dsc does not unpack"
else
    mv "$LAPSTRAKE_BUILDROOT/bundle" "$tree"
    ((${#drop[@]})) && chown -R "$uid:$uid" "$tree"
fi
choose_root "$tree"

options="${DEB_BUILD_OPTIONS:-} parallel=$jobs"
for profile in nocheck nodoc; do # policy has these both as profiles and as options
    [[ " $profiles " == *" $profile "* ]] && options+=" $profile"
done
unset SOURCE_DATE_EPOCH # dpkg-buildpackage takes it from the changelog, as in Debian
cd "$tree"
status=0
env -u LAPSTRAKE_BUILDROOT HOME=/nonexistent DEB_BUILD_OPTIONS="${options# }" \
    ${profiles:+DEB_BUILD_PROFILES="$profiles"} \
    "${drop[@]}" dpkg-buildpackage -us -uc "${cross[@]}" "$kind_option" </dev/null 2>&1 | follow_steps || status=$?
((status == 0)) || fail "dpkg-buildpackage ended with status $status"

shopt -s nullglob
results=("$work"/*.deb "$work"/*.udeb "$work"/*.ddeb "$work"/*.changes "$work"/*.buildinfo)
packages=("$work"/*.deb "$work"/*.udeb)
((${#packages[@]})) || fail "no package was built"
chmod 644 -- "${results[@]}"
((${#drop[@]} == 0)) || chown 0:0 -- "${results[@]}"
mv -- "${results[@]}" "$output/"
