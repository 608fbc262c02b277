#!/usr/bin/env bash
# Installs netmaster, netplugin and netctl with their systemd units, and starts them.
# DESTDIR: install below this directory and start nothing. PROGRAMS: where the programs are.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
destdir=${DESTDIR:-}
programs=${PROGRAMS:-$here/../target/release}

for name in netmaster netplugin netctl; do
    if [ ! -x "$programs/$name" ]; then
        echo "$programs/$name is missing: cargo build --release -p netmaster -p netplugin -p netctl" >&2
        exit 1
    fi
done
if [ -z "$destdir" ] && [ "$(id -u)" != 0 ]; then
    echo "root is needed: sudo $0" >&2
    exit 1
fi
if [ -z "$destdir" ] && [ -e /var/lib/contiv/up ]; then
    echo "make up runs here: make down first" >&2
    exit 1
fi

for name in netmaster netplugin netctl; do
    install -D -m 0755 "$programs/$name" "$destdir/usr/local/bin/$name"
done
for name in netmaster netplugin; do
    install -D -m 0644 "$here/systemd/$name.service" "$destdir/etc/systemd/system/$name.service"
done

if [ -z "$destdir" ]; then
    systemctl daemon-reload
    systemctl enable netmaster.service netplugin.service
    systemctl restart netmaster.service netplugin.service
    echo "Contiv runs; packaging/uninstall.sh removes it."
fi
