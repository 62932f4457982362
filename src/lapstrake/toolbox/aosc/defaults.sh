# shellcheck shell=bash disable=SC2034
# What holds unless `defines` says otherwise: paths of packages, switches of the build.

PREFIX=/usr
BINDIR=/usr/bin
LIBDIR=/usr/lib
LIBEXECDIR=/usr/libexec
SYSCONF=/etc
CONFD=/etc/conf.d
ETCDEF=/etc/default
LDSOCONF=/etc/ld.so.conf.d
FCCONF=/etc/fonts
LOGROT=/etc/logrotate.d
CROND=/etc/cron.d
SKELDIR=/etc/skel
BINFMTD=/usr/lib/binfmt.d
X11CONF=/etc/X11/xorg.conf.d
STATDIR=/var
INCDIR=/usr/include
JAVAMOD=/usr/share/java
JAVAHOME=/usr/lib/java
QTPREFIX=/usr/lib/qt
DATADIR=/usr/share
MANDIR=/usr/share/man
FDOADIR=/usr/share/applications
FDOICDIR=/usr/share/icons
INFODIR=/usr/share/info
DOCDIR=/usr/share/doc
LOCALES=/usr/share/locale

# The build.
ABSHADOW=yes         # build beside the sources (autotools; ABSHADOW_CMAKE for CMake)
RECONF=yes           # generate `configure` anew
AUTOTOOLS_STRICT=yes # an option that `configure` does not know is an error
NOPARALLEL=no
NOLTO=no
FATLTO=no
USECLANG=no
NOPYTHON2=yes
NOPYTHON3=no
ABPATCHLAX=no # accept patches that need fuzz

# The flags.
AB_FLAGS_SSP=yes # stack protector
AB_FLAGS_SCP=yes # stack-clash protection
AB_FLAGS_RRO=yes # read-only relocations
AB_FLAGS_NOW=yes # bind at start
AB_FLAGS_FTF=yes # _FORTIFY_SOURCE
AB_FLAGS_CFP=yes # control-flow protection
AB_FLAGS_O3=no
AB_FLAGS_OS=no
AB_FLAGS_PIC=no
AB_FLAGS_PIE=no
AB_FLAGS_EXC=no # C code that exceptions pass through

# The package.
ABSTRIP=yes
NOSTATIC=yes
NOLIBTOOL=yes
VER_NONE=no # no versions in Depends
