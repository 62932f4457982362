#!/bin/bash
# Build a bundle of Lapstrake's own format inside a root: run the steps, pack the outputs.
#
# The host has written what to do below $LAPSTRAKE_BUILDROOT/plan:
#   environment.sh            variables for the steps
#   steps/N-STEP.sh           shell text; a first line "# lapstrake.toml" says that its line numbers
#                             are those of that file
#   outputs/NN-NAME/control   the control file without Installed-Size and Depends, and next to it:
#     depends                 relations known beforehand
#     files, conffiles        globs, one per line; no "files": all that is left
#     libraries, strip        there when dependencies are computed, and programs stripped
#     preinst ... postrm      maintainer scripts
#   results                   globs of plain files to keep
#
# Steps see DESTDIR, SRCDIR, BUNDLE, JOBS, ARCH, MULTIARCH, NAME and VERSION; and if ARCH is not
# LAPSTRAKE_BUILD_ARCH, the variables of the cross compiler (CC, CROSS_COMPILE ...).

set -euo pipefail

: "${LAPSTRAKE_BUILDROOT:?}"
plan=$LAPSTRAKE_BUILDROOT/plan
output=$LAPSTRAKE_BUILDROOT/output
packing=$LAPSTRAKE_BUILDROOT/packing
export LC_ALL=C.UTF-8
export DESTDIR=$LAPSTRAKE_BUILDROOT/destdir
export SRCDIR=${LAPSTRAKE_SRCDIR:-$LAPSTRAKE_BUILDROOT/build}
export BUNDLE=$LAPSTRAKE_BUILDROOT/bundle
export JOBS=${LAPSTRAKE_JOBS:-1}
export ARCH=${LAPSTRAKE_ARCH:?}
export NAME=${LAPSTRAKE_PACKAGE:-} VERSION=${LAPSTRAKE_VERSION:-}
case $ARCH in
amd64) MULTIARCH=x86_64-linux-gnu ;;
arm64) MULTIARCH=aarch64-linux-gnu ;;
armhf) MULTIARCH=arm-linux-gnueabihf ;;
i386) MULTIARCH=i386-linux-gnu ;;
loong64) MULTIARCH=loongarch64-linux-gnu ;;
mips64el) MULTIARCH=mips64el-linux-gnuabi64 ;;
ppc64el) MULTIARCH=powerpc64le-linux-gnu ;;
*) MULTIARCH=$ARCH-linux-gnu ;;
esac
export MULTIARCH
if [[ $ARCH != "${LAPSTRAKE_BUILD_ARCH:-$ARCH}" ]]; then export DEB_HOST_ARCH=$ARCH; fi
umask 022
shopt -s nullglob

begin() {
    printf '%s\n' "$1" >"$LAPSTRAKE_BUILDROOT/step"
    printf '>>> %s: %s\n' "$1" "$2"
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Called by the ERR trap inside a step: the status, line, file and command that failed.
report() {
    local place=${3#"$LAPSTRAKE_BUILDROOT"/} first=
    [[ -f $3 ]] && IFS= read -r first <"$3"
    [[ $first == '# lapstrake.toml' ]] && place=lapstrake.toml
    printf 'error: %s:%s: status %s: %s\n' "$place" "$2" "$1" "$4" >&2
}

# Each step is a process of its own: variables and the working directory do not leak.
run_step() {
    local file=$1 name=${1##*/[0-9]-} status
    name=${name%.sh}
    # The sources' own tests are quality assurance to whoever reads the step.
    begin "${name/#check/qa}" "$name"
    set +e # not "( ... ) || status=$?", which would switch off -e inside
    (
        set -eE -o pipefail +u
        shopt -u nullglob
        cd "$SRCDIR"
        # shellcheck disable=SC1091 # written by the host
        [[ ! -f $plan/environment.sh ]] || . "$plan/environment.sh"
        trap 'report "$?" "$LINENO" "${BASH_SOURCE[0]}" "$BASH_COMMAND"' ERR
        # shellcheck disable=SC1090 # a step of the bundle
        . "$file"
    ) </dev/null
    status=$?
    set -e
    ((status == 0)) || fail "step $name ended with status $status"
}

# matching FOLDER FILE-OF-GLOBS: set `matches` to what the globs match; each must match something.
matching() {
    local glob found IFS= # so that globs are expanded and blanks do not split
    matches=()
    cd "$1"
    shopt -s globstar dotglob
    while IFS= read -r glob; do
        # shellcheck disable=SC2206 # to be expanded
        found=($glob)
        # Without a wildcard, nullglob leaves the word as it is.
        if [[ ${#found[@]} == 0 || ! (-e ${found[0]} || -L ${found[0]}) ]]; then
            fail "nothing matches '$glob' of $2"
        fi
        matches+=("${found[@]}")
    done <"$2"
    shopt -u globstar dotglob
}

# Move what an output asks for from DESTDIR to its own folder.
take_files() {
    local root=$1 list=$2/files parents
    if [[ ! -f $list ]]; then
        mv "$DESTDIR" "$root"
        mkdir "$DESTDIR"
        return
    fi
    matching "$DESTDIR" "$list"
    mkdir "$root"
    cp -al --parents -t "$root" -- "${matches[@]}"
    rm -rf -- "${matches[@]}"
    mapfile -t parents < <(dirname -- "${matches[@]}" | sort -u | grep -vx '\.')
    ((${#parents[@]} == 0)) || rmdir -p --ignore-fail-on-non-empty -- "${parents[@]}" 2>/dev/null || true
}

# Set `programs` to the ELF files below a folder, but for objects and kernel modules.
find_programs() {
    local file magic
    programs=()
    while IFS= read -r -d '' file; do
        magic=
        LC_ALL=C IFS= read -r -N 4 magic <"$file" 2>/dev/null || true
        [[ $magic != $'\x7fELF' || $file == *.ko || $file == *.o ]] || programs+=("$file")
    done < <(find "$1" -type f -size +3c -print0 | sort -z)
}

# When cross-compiling: each of `programs` must be what the target's own tools can read.
check_machine() {
    local file told
    [[ ${CROSS_COMPILE:-} ]] || return 0
    for file in "${programs[@]}"; do
        told=$("$OBJDUMP" -f "$file" 2>/dev/null) || told='architecture: UNKNOWN!'
        [[ $told != *'architecture: UNKNOWN!'* ]] ||
            fail "${file#"$packing"/*/} is not for $ARCH: it must be compiled with \$CC or \$CXX"
    done
}

# Print the dependencies on shared libraries, as dpkg's own symbols and shlibs files tell.
library_dependencies() {
    local folder=$1 stub=$packing/shlibdeps own
    shift
    mkdir -p "$stub/debian"
    printf 'Source: %s\nPackage: %s\n' "$NAME" "$NAME" >"$stub/debian/control"
    own=("$folder" "$packing"/*/usr/lib "$packing/"*/usr/lib/"$MULTIARCH" "$DESTDIR/usr/lib/$MULTIARCH")
    (cd "$stub" && dpkg-shlibdeps --ignore-missing-info -O "${own[@]/#/-l}" "${@/#/-e}") |
        sed -n 's/^shlibs:Depends=//p'
}

# Write DEBIAN/ for an output: control, md5sums, conffiles, scripts.
write_control() {
    local root=$1 table=$2 depends script libraries size
    mkdir "$root/DEBIAN"
    depends=$(<"$table/depends")
    if [[ -f $table/libraries && ${#programs[@]} -gt 0 ]] && command -v dpkg-shlibdeps >/dev/null; then
        libraries=$(library_dependencies "$root" "${programs[@]}")
        [[ -z $libraries ]] || depends=${depends:+$depends, }$libraries
    fi
    size=$(find "$root" -mindepth 1 -path "$root/DEBIAN" -prune -o -printf '%y %s\n' |
        awk '{ total += $1 == "f" ? int(($2 + 1023) / 1024) : 1 } END { print total + 0 }')
    # The description must stay last: it spans lines.
    awk -v size="$size" -v depends="$depends" '
        { print }
        /^Maintainer:/ { print "Installed-Size: " size; if (depends) print "Depends: " depends }
    ' "$table/control" >"$root/DEBIAN/control"
    (cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z |
        xargs -r0 md5sum >DEBIAN/md5sums)
    if [[ -f $table/conffiles ]]; then
        matching "$root" "$table/conffiles"
        printf '/%s\n' "${matches[@]}" >"$root/DEBIAN/conffiles"
    elif [[ -d $root/etc ]]; then
        (cd "$root" && find etc -type f -printf '/%p\n' | sort >DEBIAN/conffiles)
    fi
    [[ -s $root/DEBIAN/conffiles ]] || rm -f "$root/DEBIAN/conffiles"
    for script in preinst postinst prerm postrm; do
        [[ ! -f $table/$script ]] || install -m 755 "$table/$script" "$root/DEBIAN/$script"
    done
}

pack_output() {
    local table=$1 root field value
    local package='' version='' architecture=''
    root=$packing/${table##*/}
    take_files "$root" "$table"
    find_programs "$root"
    if [[ -f $table/strip && ${#programs[@]} -gt 0 ]] && command -v "${STRIP:-strip}" >/dev/null; then
        check_machine
        "${STRIP:-strip}" --strip-unneeded --remove-section=.comment --remove-section=.note -- "${programs[@]}"
    fi
    write_control "$root" "$table"
    while IFS=': ' read -r field value; do
        case $field in
        Package) package=$value ;;
        Version) version=${value#*:} ;;
        Architecture) architecture=$value ;;
        esac
    done <"$root/DEBIAN/control"
    dpkg-deb --root-owner-group "${compression[@]}" --build "$root" \
        "$output/${package}_${version}_$architecture.deb"
}

pack_outputs() {
    local table left
    begin pack "pack ${#tables[@]} package(s)"
    rm -rf "$packing"
    mkdir "$packing"
    compression=(-Zxz)
    if [[ $(dpkg-deb --help) == *zstd* ]]; then compression=(-Zzstd -z3); fi
    for table in "${tables[@]}"; do pack_output "$table"; done
    left=$(cd "$DESTDIR" && find . ! -type d -printf '/%P\n' | sort)
    [[ -z $left ]] || fail "installed, but in no output:"$'\n'"$left"
}

keep_results() {
    local file
    begin pack "keep plain files"
    matching "$SRCDIR" "$plan/results"
    for file in "${matches[@]}"; do
        [[ -f $file && ! -L $file ]] || fail "$file is not a plain file"
        [[ ! -e $output/${file##*/} ]] || fail "two results are called ${file##*/}"
        cp -- "$file" "$output/"
    done
}

mkdir -p "$output" "$DESTDIR" "$SRCDIR"
for script in "$plan"/steps/*.sh; do run_step "$script"; done
tables=("$plan"/outputs/*)
if ((${#tables[@]})); then pack_outputs; fi
if [[ -f $plan/results ]]; then keep_results; fi
