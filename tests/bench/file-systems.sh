#!/bin/sh
# file-systems.sh COMMAND...: makes an ext4, an xfs and a btrfs in images of 400 MiB beside each other on the
# disk below target/, mounts them, runs COMMAND with the directories, and takes everything away again. Needs root.
set -eu
[ "$(id -u)" = 0 ] || { echo "file systems: skipped, mounting needs root"; exit 0; }
work=$(mktemp -d "$PWD/target/file-systems.XXXXXX")
places=
finish() {
	for place in $places; do umount "$place"; done
	rm -rf "$work"
}
trap finish EXIT
for kind in ext4 xfs btrfs tmpfs; do
	place=$work/$kind
	mkdir "$place"
	if [ $kind = tmpfs ]; then
		mount -t tmpfs tmpfs "$place"
	else
		command -v mkfs.$kind >/dev/null || { echo "file systems: no mkfs.$kind"; continue; }
		truncate -s 400M "$work/$kind.img"
		# A small ext4 would have blocks of 1 KiB, which no large one has.
		[ $kind = ext4 ] && blocks="-b 4096" || blocks=
		mkfs.$kind -q $blocks "$work/$kind.img" 2>/dev/null
		mount -o loop "$work/$kind.img" "$place" || { echo "file systems: this kernel mounts no $kind"; continue; }
	fi
	places="$places $place"
done
"$@" $places
