#!/bin/sh
# Installs the peers that Sterna is tested against: a real QEMU, its firmware, NASM, gdb, GCC (also for 32-bit programs),
# Python and the archive tools. Needs root on a Debian system. Running it again is cheap: what is installed is left alone.
#
#   install.sh            Debian's own QEMU and everything else (bookworm: QEMU 7.2)
#   install.sh --newest   also the QEMU of Debian testing, in a directory of its own, with a wrapper script
#   install.sh --check    install nothing; report versions, exit 1 if something is missing
#
# The newest QEMU lives under $STERNA_CACHE/peers (default: the workspace's node_modules/.cache/sterna/peers) and
# is started through $STERNA_CACHE/peers/bin/qemu-newest, which sees the same files as any other program.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
workspace=$(cd "$here/../.." && pwd)
cache=${STERNA_CACHE:-$workspace/node_modules/.cache/sterna}/peers
packages='qemu-system-x86 qemu-system-data qemu-utils seabios nasm gdb gcc gcc-multilib libc6-dev python3-minimal cpio
libarchive-tools busybox-static zstd socat'
newest_suite=testing
mirror=${STERNA_DEBIAN_MIRROR:-http://deb.debian.org/debian}

fail() {
    echo "peers: $*" >&2
    exit 1
}

missing_of() {
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)" = installed ] || echo "$name"
    done
}

# apt's own locks are waited for, so that two of these may run at once.
apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" >&2
}

install_missing() {
    missing=$(missing_of "$@")
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || fail "must be root to install:" $missing
    # shellcheck disable=SC2086 # a list of names
    apt install --no-install-recommends $missing && return 0
    apt update
    # shellcheck disable=SC2086
    apt install --no-install-recommends $missing
}

# A complete small Debian testing, finished under another name and then renamed, so that a half-made one never counts.
install_newest() {
    root=$cache/$newest_suite
    if [ ! -x "$root/usr/bin/qemu-system-x86_64" ]; then
        [ "$(id -u)" = 0 ] || fail "must be root to run debootstrap"
        install_missing debootstrap
        mkdir -p "$cache"
        rm -rf "$root.new" "$root"
        debootstrap --variant=minbase \
            --include=qemu-system-x86,qemu-system-data,qemu-utils,seabios "$newest_suite" "$root.new" "$mirror" >&2 ||
            fail "debootstrap of $newest_suite failed; see $root.new/debootstrap/debootstrap.log"
        rm -rf "$root.new/var/cache/apt/archives"
        mv "$root.new" "$root"
    fi
    mkdir -p "$cache/bin"
    for program in qemu-system-x86_64 qemu-img qemu-nbd; do
        case $program in qemu-system-x86_64) name=qemu-newest ;; *) name=$program-newest ;; esac
        write_wrapper "$cache/bin/$name" "$program" "$root"
    done
}

# The program is started by its own system's dynamic loader instead of chroot: no mounts, same view of the files.
write_wrapper() {
    data=
    [ "$2" != qemu-system-x86_64 ] || data=' -L "$root/usr/share/qemu" -L "$root/usr/share/seabios"'
    cat >"$1.tmp" <<WRAPPER
#!/bin/sh
root='$3'
export QEMU_MODULE_DIR="\$root/usr/lib/x86_64-linux-gnu/qemu"
exec "\$root/lib64/ld-linux-x86-64.so.2" --library-path "\$root/usr/lib/x86_64-linux-gnu:\$root/lib/x86_64-linux-gnu" \\
    "\$root/usr/bin/$2"$data "\$@"
WRAPPER
    chmod 755 "$1.tmp"
    mv "$1.tmp" "$1"
}

line() {
    version=$("$@" 2>/dev/null | head -n 1) || version=
    printf '%-22s %s\n' "$(basename "$1")" "${version:-missing}"
    [ -n "$version" ] || absent=1
}

report() {
    absent=0
    line qemu-system-x86_64 --version
    line qemu-img --version
    line nasm -v
    line gdb --version
    line gcc --version
    line python3 --version
    line cpio --version
    line bsdtar --version
    line busybox --help
    for file in /usr/share/qemu/qboot.rom /usr/share/qemu/bios-microvm.bin /usr/share/qemu/linuxboot_dma.bin \
        /usr/share/qemu/pvh.bin /usr/lib32/libc.a; do
        if [ -e "$file" ]; then found=$(wc -c <"$file") && found="$found bytes"; else found=missing absent=1; fi
        printf '%-22s %s\n' "$(basename "$file")" "$found"
    done
    if [ -x "$cache/bin/qemu-newest" ]; then line "$cache/bin/qemu-newest" --version; fi
    return $absent
}

case ${1:-} in
'' | --newest)
    command -v apt-get >/dev/null || fail "this system has no apt-get; install by hand:" $packages
    # shellcheck disable=SC2086
    install_missing $packages
    [ "${1:-}" != --newest ] || install_newest
    report
    ;;
--check) report || exit 1 ;;
*) fail "unknown argument '$1' (known: --newest, --check)" ;;
esac
