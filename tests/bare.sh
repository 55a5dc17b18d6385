#!/bin/bash
# Makes a bare Debian 12 (git and make only), clones this repository into it and runs `make demo`
# and `make check` there with nothing else typed. Needs root and debootstrap. The root is removed
# and everything is unmounted on every exit.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "bare: must be root (debootstrap, chroot)"; exit 1; }
command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
root=$(mktemp -d "${TMPDIR:-/var/tmp}/atelier-bare.XXXXXX")
log=${BARE_LOG:-bare.log}
leave() {
  status=$?
  for mount in dev/shm dev/pts dev proc sys; do
    mountpoint -q "$root/$mount" && umount -l "$root/$mount"
  done
  rm -rf --one-file-system "$root"
  exit $status
}
trap leave EXIT
trap 'exit 130' INT TERM HUP
mirror=$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^(https?|file):/) { print $i; exit } }' \
  /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true)
[ -n "$mirror" ] || mirror=$(awk '$1 == "URIs:" { print $2; exit }' /etc/apt/sources.list.d/*.sources)
debootstrap --variant=minbase --include=git,make,ca-certificates bookworm "$root" "$mirror" >"$log" 2>&1
# The host's own package sources and how it reaches them.
rm -rf "$root/etc/apt/sources.list" "$root/etc/apt/sources.list.d"
for item in sources.list sources.list.d trusted.gpg.d apt.conf apt.conf.d auth.conf auth.conf.d preferences.d keyrings; do
  [ -e "/etc/apt/$item" ] && cp -rL "/etc/apt/$item" "$root/etc/apt/"
done
mkdir -p "$root/usr/share/keyrings"
cp -rL /usr/share/keyrings/. "$root/usr/share/keyrings/" 2>/dev/null || true
cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
[ -d /usr/local/share/ca-certificates ] && cp -rL /usr/local/share/ca-certificates "$root/usr/local/share/"
[ -e /etc/ssl/certs/ca-certificates.crt ] && cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
mount --bind /dev "$root/dev"
mount --bind /dev/pts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
git clone -q --no-hardlinks . "$root/root/atelier"
proxies=$(env | grep -iE '^(https?|no)_proxy=' || true)
inside() {
  # shellcheck disable=SC2086  # one word a variable
  env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LC_ALL=C.UTF-8 $proxies \
    chroot "$root" sh -c "cd && cd atelier && $1"
}
for verb in demo check; do
  start=$(date +%s)
  if ! inside "make $verb" >>"$log" 2>&1; then
    tail -60 "$log"
    echo "bare: make $verb failed"
    exit 1
  fi
  echo "bare: make $verb took $(($(date +%s) - start)) s; its last lines:"
  tail -4 "$log"
done
grep -E '^(build|tests) took' "$log"
grep '^summary:' "$log"
