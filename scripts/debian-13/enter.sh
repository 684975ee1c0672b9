# The first process of its name spaces: mounts what programs expect, and becomes the command in the root file system. The
# environment is that of a fresh login, and what of the machine's is needed to reach its archives.
root=$1
shift
mount -t proc none "$root/proc" || exit 1
mount --rbind /dev "$root/dev" || exit 1
mount -t tmpfs -o mode=1777 none "$root/dev/shm" || exit 1

. "$(dirname "$0")/machine-settings.sh"
mapfile -t settings < <(machine_environment)
exec env -i "${settings[@]}" chroot "$root" "$@"
