# The first process of its name spaces: mounts what programs expect, and becomes the command in the root file system. The
# environment is that of a fresh login, and what of the machine's is needed to reach its archives.
root=$1
shift
mount -t proc none "$root/proc" || exit 1
mount --rbind /dev "$root/dev" || exit 1
mount -t tmpfs -o mode=1777 none "$root/dev/shm" || exit 1

settings=()
for name in SOURCE CLONE OLD_DATA PORT http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY NODE_EXTRA_CA_CERTS; do
  [ -z "${!name:-}" ] || settings+=("$name=${!name}")
done
exec env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${settings[@]}" chroot "$root" "$@"
