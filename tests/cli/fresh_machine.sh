#!/usr/bin/env bash
# A machine that has never seen this project: a minimal Debian in a directory of its own, a clone of
# the repository in it, and there the two commands of the README. On demand, as root; the packages
# come from the mirror that this machine's apt uses, or from $MIRROR.
#
# usage: tests/cli/fresh_machine.sh [bookworm|trixie]... [--dir DIR] [--worktree]
#   without a release   both
#   --dir DIR           where the file systems, logs and packages stay (/var/tmp/certmill-fresh)
#   --worktree          the files as they are now, not those of the last commit
#
# DIR/RELEASE.base is the pristine system and used again; each run works in a copy of it,
# DIR/RELEASE.root, which stays for a look around. DIR/RELEASE.log has all that was printed there.
set -euo pipefail
export LC_ALL=C

usage() { sed -n '6,9s/^# \{0,1\}//p' "$0"; }

releases=()
dir=/var/tmp/certmill-fresh
worktree=
arguments=("$@")
while [ $# -gt 0 ]; do
    case $1 in
    bookworm | trixie) releases+=("$1") ;;
    --dir) [ $# -ge 2 ] || { usage >&2; exit 2; }; dir=$2; shift ;;
    --worktree) worktree=1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
[ "${#releases[@]}" -gt 0 ] || releases=(bookworm trixie)

if [ "$(id -u)" -ne 0 ]; then
    echo "fresh_machine: only root can chroot and mount; use sudo" >&2
    exit 1
fi
for tool in debootstrap git tar unshare chroot apt-get; do
    command -v "$tool" >/dev/null || { echo "fresh_machine: no $tool here" >&2; exit 1; }
done

# In namespaces of our own the kernel takes every mount away and ends every process with us, however
# we end: a /dev that stayed mounted would be lost with the next rm -r.
if [ "${FRESH_MACHINE_INSIDE:-}" != 1 ]; then
    FRESH_MACHINE_INSIDE=1 exec unshare --mount --propagation private --pid --fork --kill-child \
        "$0" "${arguments[@]}"
fi

project=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# Where this machine gets Debian from.
find_mirror() {
    apt-get indextargets --format '$(REPO_URI) $(LABEL) $(COMPONENT)' 'Created-By: Packages' |
        sed -n 's/ Debian main$//p' | head -n 1
}
mirror=${MIRROR:-$(find_mirror)}
if [ -z "$mirror" ]; then
    echo "fresh_machine: no Debian mirror among apt's sources; name one in MIRROR" >&2
    exit 1
fi

# The pristine system. It gets its name when it is complete.
make_base() {
    local release=$1 base=$dir/$1.base

    [ ! -d "$base" ] || return 0
    echo "== $release: the base system, from $mirror"
    rm -rf --one-file-system "$base.part"
    debootstrap --variant=minbase "$release" "$base.part" "$mirror" >"$dir/$release.log" ||
        { tail -n 20 "$dir/$release.log" >&2; return 1; }
    mv "$base.part" "$base"
}

# What the host needs to reach a mirror, the machine needs too. Nothing else of the host goes in.
copy_network() {
    local root=$1

    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    { apt-config dump | grep -E '^Acquire::(https?::.*Proxy|Check-|https::CAInfo)' || true; } \
        >"$root/etc/apt/apt.conf.d/90fresh-machine"
}

copy_project() {
    local to=$1

    git -c safe.directory='*' clone --quiet --no-hardlinks "$project" "$to"
    [ -n "$worktree" ] || return 0
    (cd "$project" && git ls-files -z --deleted) | (cd "$to" && xargs -0 -r rm -f)
    (cd "$project" && git ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
        tar --create --null --files-from=-) | tar --extract --directory "$to"
}

# Ours are a PID namespace and its /proc; the packages stay beside the machine for the next time.
mount_all() {
    local root=$1 release=$2

    mkdir -p "$dir/$release.packages/partial"
    mount --bind "$root" "$root"        # so that one umount --recursive takes all of it away
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t tmpfs -o mode=755 dev "$root/dev"
    for device in null zero full random urandom tty; do
        touch "$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=666,gid=5,mode=620 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
    ln -s pts/ptmx "$root/dev/ptmx"
    for stream in 0:stdin 1:stdout 2:stderr; do
        ln -s "/proc/self/fd/${stream%%:*}" "$root/dev/${stream#*:}"
    done
    ln -s /proc/self/fd "$root/dev/fd"
    mount --bind "$dir/$release.packages" "$root/var/cache/apt/archives"
}

inside() {
    local root=$1
    shift
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
        chroot "$root" /bin/sh -c "cd /usr/src/certmill && $*" </dev/null
}

# One line to stdout for each command, everything else into the log.
try() {
    local release=$1 command=$2 begun=$SECONDS code=0

    echo "== $release: $command (see $dir/$release.log)" >&2
    { echo "== $command"; inside "$dir/$release.root" "$command"; } >>"$dir/$release.log" 2>&1 ||
        code=$?
    printf '%s %s: %s, %d s\n' "$release" "$command" \
        "$([ "$code" -eq 0 ] && echo passed || echo "FAILED, exit $code")" $((SECONDS - begun))
    [ "$code" -eq 0 ] || tail -n 30 "$dir/$release.log" | sed 's/^/    /' >&2
    return "$code"
}

try_release() {
    local release=$1 root=$dir/$1.root bad=0

    make_base "$release"
    rm -rf --one-file-system "$root"
    cp -a "$dir/$release.base" "$root"
    copy_network "$root"
    copy_project "$root/usr/src/certmill"
    mount_all "$root" "$release"
    : >"$dir/$release.log"
    # Both must also bear being run again, the second after the first.
    for command in ./tools/quickstart ./tools/check ./tools/quickstart; do
        try "$release" "$command" || bad=1
    done
    return "$bad"
}

cleanup() {
    for release in "${releases[@]}"; do
        umount --recursive "$dir/$release.root" 2>/dev/null || true
    done
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

status=0
for release in "${releases[@]}"; do
    # In a process of its own: as part of a || list nothing in it would end at the first error.
    try_release "$release" &
    wait $! || { status=1; echo "$release: FAILED"; continue; }
    echo "$release: passed"
done
exit "$status"
