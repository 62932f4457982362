#!/bin/bash
# shellcheck disable=SC2016 # what stands in single quotes is for other shells
# Try to reach what is not a build's business; a line "REACHED what" tells each success.
#   attempts.sh CANARY PORT ABSTRACT-SOCKET HOST-PROCESS DEVICE [ATTEMPT...]
canary=$1 port=$2 abstract=$3 process=$4 device=$5
shift 5
chosen=" $* "
said=$(mktemp)

# attempt WHAT COMMAND...
attempt() {
    what=$1
    shift
    [[ $chosen == "  " || $chosen == *" $what "* ]] || return 0
    if timeout 10 "$@" >"$said" 2>&1; then
        echo "REACHED $what"
        head -c 300 "$said"
        echo
    fi
}

# call NUMBER ARGUMENT...: a system call of x86_64
call() {
    [[ $(uname -m) == x86_64 ]] || return 1
    perl -e 'exit(syscall(map { /^-?\d+$/ ? $_ + 0 : $_ } @ARGV) < 0)' "$@"
}
export -f call

attempt canary cat "$canary"
attempt canary-by-proc sh -c "cat /proc/1/root$canary || cat /proc/$process/root$canary"
attempt canary-by-dots cat "../../../../../../../../../../../..$canary"
attempt canary-by-cwd sh -c "cat /proc/*/cwd$canary"
attempt environment sh -c 'cat /proc/[0-9]*/environ | grep -a CANARY_OF_THE_HOST'
attempt ptrace bash -c "call 101 16 $process 0 0"
attempt host-port bash -c ": < /dev/tcp/127.0.0.1/$port"
attempt abstract-socket perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0)
    && connect(S, pack("Sa*", AF_UNIX, "\0$ARGV[0]")) or exit 1' "$abstract"
attempt interfaces sh -c "tail -n +3 /proc/net/dev | grep -v ' lo:'"
attempt vsock perl -MSocket -e 'socket(S, 40, SOCK_STREAM, 0) or exit 1'
attempt mount mount -t tmpfs none /mnt
attempt mount-bind mount --bind / /mnt
attempt umount umount -l /proc
attempt remount mount -o remount,rw /proc/sys
attempt unshare unshare -m true
attempt unshare-user unshare -U true
attempt setns nsenter -m -t 1 true
for where in /tmp /dev /buildroot; do
    attempt "device-in-$where" sh -c "mknod $where/device c $device && : < $where/device"
done
attempt memory-device sh -c 'mknod /tmp/memory c 1 1 && head -c 1 /tmp/memory'
attempt kernel-log dmesg
attempt kernel-log-device sh -c 'mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg'
attempt sysctl sh -c 'echo lapstrake-was-here > /proc/sys/kernel/core_pattern'
attempt sysctl-remount sh -c 'echo 1 > /proc/sys/kernel/sysrq'
attempt sysrq sh -c 'echo h > /proc/sysrq-trigger'
attempt sysfs sh -c 'for file in $(find /sys -maxdepth 3 -perm -200 -type f); do
    echo 0 > "$file" && exit 0; done; exit 1'
attempt clock date -s 2001-01-01
attempt keyring bash -c 'call 248 user mine secret 6 -3'
attempt bpf bash -c 'call 321 0 0 0'
attempt perf bash -c 'call 298 0 0 -1 -1 0'
attempt file-handles bash -c 'call 304 -100 0 0'
attempt io-uring bash -c 'call 425 8 0'
attempt second-set-of-calls bash -c 'call 1073741863'
attempt immutable chattr +i "$said"
attempt sockets-of-the-host test -S /run/docker.sock -o -S /run/dbus/system_bus_socket
attempt homes sh -c 'ls /home/*/.ssh /root/.ssh | grep .'
attempt terminal sh -c ': < /dev/tty'
attempt inherited-files sh -c 'ls /proc/self/fd | grep -vx "[0123]"'
if [[ $# == 0 ]]; then # looked for on the host afterwards
    mkdir /sys/fs/cgroup/owned /sys/fs/cgroup/*/owned 2>/dev/null
fi
echo "ALL TRIED"
