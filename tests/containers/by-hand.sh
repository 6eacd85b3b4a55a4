#!/bin/sh
# by-hand.sh SIGNER NODE: the steps of config/compose.yaml without Docker, each service in a root of its own with
# the files, the user and the command that it has there. SIGNER is a static tmkms, NODE a cometbft that needs no
# library. Holds if the node commits ten blocks signed through the signer, both as user 10001. Needs root.
set -eu
[ "$(id -u)" = 0 ] || { echo "containers: skipped, chroot needs root"; exit 0; }
# Ports and processes of its own, gone with this shell.
[ "${ALONE-}" ] || exec env ALONE=1 unshare --net --mount --pid --fork --kill-child "$0" "$@"
ip link set lo up
work=$(mktemp -d)
finish() {
	kill $services 2>/dev/null || true
	wait
	umount "$work/signer/cometbft"
	rm -rf "$work"
}
services=
mkdir -p "$work/signer/kms" "$work/signer/cometbft" "$work/signer/etc" "$work/node/cometbft" "$work/node/tmp"
cp "$1" "$work/signer/tmkms"
cp "$2" "$work/node/cometbft.bin"
# What Docker writes into every container.
echo "127.0.0.1 localhost node" >"$work/signer/etc/hosts"
chmod 755 "$work"
chmod 1777 "$work/node/tmp"
chown 10001:10001 "$work/signer/kms"
mount --bind "$work/node/cometbft" "$work/signer/cometbft"
mount -o remount,bind,ro "$work/signer/cometbft"
trap finish EXIT

echo "new-node"
chroot "$work/node" /cometbft.bin init --home /cometbft >/dev/null
sed -i 's/"chain_id": "[^"]*"/"chain_id": "compose-1"/' "$work/node/cometbft/config/genesis.json"
chown -R 10001:10001 "$work/node/cometbft"
echo "new-signer"
chroot --userspec=10001:10001 "$work/signer" /tmkms init /kms --chain-id compose-1 --addr tcp://node:26658 \
	--key /cometbft/config/priv_validator_key.json >/dev/null
echo "signer, node"
chroot --userspec=10001:10001 "$work/signer" /tmkms start -c /kms/tmkms.toml >"$work/signer.log" 2>&1 &
services=$!
chroot --userspec=10001:10001 "$work/node" /cometbft.bin node --home /cometbft --proxy_app=kvstore \
	--priv_validator_laddr=tcp://0.0.0.0:26658 >"$work/node.log" 2>&1 &
services="$services $!"
for _ in $(seq 120); do
	if grep -q 'height=10 .*committed state\|committed state.* height=10 ' "$work/node.log"; then
		grep ' signed ' "$work/signer.log" | tail -n 1
		echo "containers: ten blocks"
		exit 0
	fi
	sleep 1
done
tail -n 20 "$work/signer.log" "$work/node.log"
exit 1
