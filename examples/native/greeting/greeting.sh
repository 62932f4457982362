#!/bin/sh
# shellcheck source=/dev/null # made when the package is installed
. /etc/greeting.conf
echo "$GREETING"
