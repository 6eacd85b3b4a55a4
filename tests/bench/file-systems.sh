#!/bin/sh
# file-systems.sh COMMAND...: makes an ext4 with and one without a journal, an xfs and a btrfs in images of 400 MiB
# beside each other below target/ (IMAGES=/dev/shm: in memory, where a flush takes no time and nobody else's
# counts), mounts them, runs COMMAND with the directories, and takes everything away again. Needs root.
set -eu
[ "$(id -u)" = 0 ] || { echo "file systems: skipped, mounting needs root"; exit 0; }
work=$(mktemp -d "${IMAGES:-$PWD/target}/file-systems.XXXXXX")
places=
finish() {
	for place in $places; do umount "$place"; done
	rm -rf "$work"
}
trap finish EXIT
for name in ext4 ext4-without-journal xfs btrfs tmpfs; do
	place=$work/$name
	kind=${name%%-*}
	mkdir "$place"
	if [ $kind = tmpfs ]; then
		mount -t tmpfs tmpfs "$place"
	else
		command -v mkfs.$kind >/dev/null || { echo "file systems: no mkfs.$kind"; continue; }
		truncate -s 400M "$work/$name.img"
		# A small ext4 would have blocks of 1 KiB, which no large one has.
		[ $kind = ext4 ] && options="-b 4096" || options=
		[ $name = $kind ] || options="$options -O ^has_journal"
		mkfs.$kind -q $options "$work/$name.img" >/dev/null 2>&1
		mount -o loop "$work/$name.img" "$place" || { echo "file systems: this kernel mounts no $kind"; continue; }
	fi
	places="$places $place"
done
"$@" $places
