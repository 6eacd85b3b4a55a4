#!/bin/sh
# Tries a real YubiHSM 2 and leaves it as it was: nothing is erased, the only key made is deleted again, and no
# key that is there is used. Prints a report.
#
#   tests/yubihsm/real-device.sh [-s SERIAL] [-a AUTH_KEY] [-p PASSWORD_FILE] [-c host:port] [-b tmkms]
#
# AUTH_KEY needs generate-asymmetric-key, delete-asymmetric-key and sign-eddsa: 1, the admin, unless it is said.
# Without -p, the password that a new device has is tried. Stop whatever else uses the device first.
set -eu

# Longer than a session lasts, in seconds.
idle_for=${IDLE:-35}

serial='' auth=1 file='' connector='' tmkms=${TMKMS:-tmkms}
while getopts s:a:p:c:b: flag; do
	case $flag in
	s) serial=$OPTARG ;;
	a) auth=$OPTARG ;;
	p) file=$OPTARG ;;
	c) connector=$OPTARG ;;
	b) tmkms=$OPTARG ;;
	*) exit 2 ;;
	esac
done
command -v "$tmkms" >/dev/null || {
	echo "no $tmkms here: build one with \`cargo build --release --features yubihsm\` and name it with -b" >&2
	exit 2
}

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
umask 077
if [ -n "$file" ]; then cp "$file" "$home/password"; else printf password >"$home/password"; fi
if [ -n "$connector" ]; then
	adapter="{ type = \"http\", addr = \"tcp://$connector\" }"
else
	adapter='{ type = "usb" }'
fi
{
	echo '[[providers.yubihsm]]'
	echo "adapter = $adapter"
	echo "auth = { key = $auth, password_file = \"$home/password\" }"
	if [ -n "$serial" ]; then echo "serial_number = \"$serial\""; fi
} >"$home/tmkms.toml"

failed=0
step() {
	name=$1
	shift
	printf '\n## %s\n' "$name"
	if "$@"; then echo "-> ok: $name"; else
		echo "-> FAILED ($?): $name"
		failed=1
	fi
}
keys() { "$tmkms" yubihsm keys list -c "$home/tmkms.toml"; }
wrong_password() {
	printf 'not the password' >"$home/wrong"
	if "$tmkms" yubihsm keys list -c "$home/tmkms.toml" --password-file "$home/wrong" 2>"$home/said"; then
		return 1
	fi
	cat "$home/said"
	grep -q 'refuses the password' "$home/said"
}
wrong_serial() {
	sed '/^serial_number/d' "$home/tmkms.toml" >"$home/other.toml"
	echo 'serial_number = "0000000000"' >>"$home/other.toml"
	if "$tmkms" yubihsm keys list -c "$home/other.toml" 2>"$home/said"; then
		return 1
	fi
	cat "$home/said"
	grep -q 'serial number' "$home/said"
}
idle() {
	echo "the device is left alone for $idle_for s"
	sleep "$idle_for"
	keys >"$home/idle"
}

echo "# YubiHSM 2, as $("$tmkms" version) sees it, $(date -u +%Y-%m-%dT%H:%M:%SZ), $(uname -srm)"
step 'what is plugged in' "$tmkms" yubihsm detect -c "$home/tmkms.toml"
step 'the keys before' keys
keys >"$home/before" 2>/dev/null || :
step 'a wrong password is refused in words' wrong_password
step 'a wrong serial number is refused in words' wrong_serial
step 'a key of its own signs, is verified and deleted' "$tmkms" yubihsm test -c "$home/tmkms.toml" --count 20
step 'opened again at once, five times' sh -c "for i in 1 2 3 4 5; do '$tmkms' yubihsm keys list -c '$home/tmkms.toml' >/dev/null || exit 1; done"
step 'after a time without commands' idle
printf '\n## the keys after\n'
if keys >"$home/after" && cmp -s "$home/before" "$home/after"; then
	echo '-> ok: the same as before'
else
	echo '-> FAILED: they differ'
	diff "$home/before" "$home/after" || :
	failed=1
fi
printf '\n# %s\n' "$([ $failed = 0 ] && echo 'all well' || echo 'something failed: see above')"
exit $failed
