# shellcheck shell=bash disable=SC2034
# Folders of packages on Debian and what descends from it: AOSC's, and Debian's own.

QA_TOP=(boot dev efi etc home media mnt opt proc root run srv sys tmp usr var)
QA_USR=(bin games include lib lib32 libexec libx32 share src '*-linux-gnu*')
QA_FORBIDDEN=(bin sbin lib lib64 usr/sbin usr/lib64 usr/local usr/man usr/doc usr/etc usr/var)
