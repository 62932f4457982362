#!/bin/sh
. /etc/greeting.conf
echo "$GREETING"
