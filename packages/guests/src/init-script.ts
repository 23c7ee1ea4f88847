/**
 * The `init` of our initramfs, a BusyBox shell script. Kept to builtins where it can be: each process started costs an
 * emulated machine some milliseconds of its boot.
 */
export const INIT_SCRIPT = `#!/bin/sh
export PATH=/bin:/sbin HOME=/root TERM=\${TERM:-vt100} PS1='sterna:\\w# '
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null

st=shell cmd= tick=
read -r words </proc/cmdline
for word in $words; do
    case $word in
    st=*) st=\${word#st=} ;;
    cmd=*) cmd=\${word#cmd=} ;;
    tick=*) tick=\${word#tick=} ;;
    esac
done

# Runs a program given as PROG,ARG,... and powers off, so that the emulator ends with it.
run() {
    set -f
    IFS=,
    set -- $1
    unset IFS
    set +f
    "$@"
    echo "$label $?"
    poweroff -f
}

cd /root
case $st in
run)
    label=RUN-EXIT
    run "$cmd"
    ;;
tick)
    label=TICKER-EXIT
    run "/bin/ticker,\${tick:-100}"
    ;;
shell) ;;
*) echo "init: unknown mode st=$st, starting a shell" ;;
esac

echo STERNA-SHELL-READY
# The shell gets the console as its controlling terminal, so that Ctrl-C works; leaving it starts another.
while :; do
    setsid cttyhack sh
done
`;
