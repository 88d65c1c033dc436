#!/bin/bash
# Runs a command inside a root of blender_root.py, which calls this; as root.
#
#   blender_root_enter.sh ROOT [--network] [--read OUTSIDE INSIDE]… [--write OUTSIDE INSIDE]… -- COMMAND…
#
# Mounts and processes live in namespaces of their own and end with this command, even with a kill.
set -euo pipefail

if [ "${ENTERED:-}" != yes ]; then
    isolate=(--mount --pid --fork --kill-child --ipc)
    [ "$2" = --network ] || isolate+=(--net)
    ENTERED=yes exec unshare "${isolate[@]}" bash "$0" "$@"
fi

root=$1
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -m 1777 "$root/tmp/.X11-unix"
mkdir "$root/tmp/home"
while [ "$1" != -- ]; do
    case $1 in
        --network) shift ;;
        --read | --write)
            target=$root$3
            if [ -d "$2" ]; then
                mkdir -p "$target"
            else
                mkdir -p "$(dirname "$target")"
                [ -e "$target" ] || : > "$target"
            fi
            mount --bind "$2" "$target"
            [ "$1" = --write ] || mount -o remount,bind,ro "$target"
            shift 3
            ;;
        *) echo "$0: $1?" >&2; exit 2 ;;
    esac
done
shift
exec chroot "$root" "$@"
