#!/bin/sh
# build.sh prepare|build: run in the build directory, with the variables of a platform's steps.
set -eu
target=aarch64-linux-gnu
busybox='busybox-1.35.0'
sum=faeeb244c35a348a334f4a59e44626ee870fb07b6884d68c10ae8bc19f83a694

# The C library, laid out as compilers look for it below a sysroot.
sysroot() {
    mkdir -p tree/staging/usr
    for package in libc6 libc6-dev libgcc-s1 linux-libc-dev; do
        dpkg -L $package-arm64-cross
    done | sed -n "s,^/usr/$target/,,p" | grep -Ev '/lib[^_]*\.a$' | sort -u >files
    tar -C /usr/$target -cf - --no-recursion -T files | tar -C tree/staging/usr -xf -
    ln -sfn usr/lib tree/staging/lib
    sed -i "s,/usr/$target/lib/,,g" tree/staging/usr/lib/libc.so tree/staging/usr/lib/libm.so
}

# BusyBox's sources, from the archive that apt is set up with.
sources() {
    archive=$LAPSTRAKE_DL_DIR/$busybox.tar.bz2
    if [ ! -e "$archive" ]; then
        # shellcheck disable=SC2016 # apt expands it
        site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
        /usr/lib/apt/apt-helper download-file \
            "${site%/}/pool/main/b/busybox/busybox_1.35.0.orig.tar.bz2" "$archive" "SHA256:$sum"
    fi
    tar -xf "$archive"
}

case $1 in
prepare)
    rm -rf tree $busybox
    sysroot
    sources
    make -C $busybox allnoconfig >/dev/null
    sed 's/=.*//' "$LAPSTRAKE_PACKAGE_DIR/busybox.config" | while read -r name; do
        sed -i "/^# $name is not set$/d" $busybox/.config
    done
    cat "$LAPSTRAKE_PACKAGE_DIR/busybox.config" >>$busybox/.config
    yes '' | make -C $busybox oldconfig >/dev/null
    ;;
build)
    make -C $busybox -j "$LAPSTRAKE_JOBS" CROSS_COMPILE="$NERVES_TOOLCHAIN/bin/$target-" \
        EXTRA_CFLAGS="--sysroot=$PWD/tree/staging" EXTRA_LDFLAGS="--sysroot=$PWD/tree/staging" \
        CONFIG_PREFIX="$PWD/tree/images/rootfs" install
    ;;
esac
