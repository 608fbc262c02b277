#!/usr/bin/env bash
# Installs Contiv with its systemd units, and starts it.
# ROLE: "all" for netmaster, netplugin and netctl, on a machine that is a master; "host" leaves
# netmaster out, for a machine whose masters are others. Without it a machine keeps the role that it
# has, and a new one gets "all".
# DESTDIR: install below this directory and start nothing. PROGRAMS: where the programs are.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
destdir=${DESTDIR:-}
programs=${PROGRAMS:-$here/../target/release}
units=$destdir/etc/systemd/system
settings=/etc/contiv/netplugin.env

kept=all
if [ -e "$units/netplugin.service" ] && [ ! -e "$units/netmaster.service" ]; then kept=host; fi
role=${ROLE:-$kept}
case $role in
    all) daemons=(netmaster netplugin) ;;
    host) daemons=(netplugin) ;;
    *)
        echo "ROLE=$role: it is \"all\" or \"host\"" >&2
        exit 1
        ;;
esac

for name in "${daemons[@]}" netctl; do
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
if [ "$role" = host ] && [ -e "$units/netmaster.service" ]; then
    echo "netmaster is installed here, and may be the only one that knows your networks. If it is not:" >&2
    echo "systemctl disable --now netmaster && rm $units/netmaster.service" >&2
    exit 1
fi

for name in "${daemons[@]}" netctl; do
    install -D -m 0755 "$programs/$name" "$destdir/usr/local/bin/$name"
done
for name in "${daemons[@]}"; do
    install -D -m 0644 "$here/systemd/$name.service" "$units/$name.service"
done

if [ -n "$destdir" ]; then exit 0; fi
systemctl daemon-reload
systemctl enable "${daemons[@]/%/.service}"
if [ "$role" = host ] && ! grep -qs '^CONTIV_NETPLUGIN_NETMASTER=' "$settings"; then
    echo "netplugin is installed, and not started: it has to know its masters. Write to $settings"
    echo "    CONTIV_NETPLUGIN_NETMASTER=https://MASTER:9998"
    echo "    CONTIV_NETPLUGIN_JOIN_TOKEN=TOKEN      # of netctl host token"
    echo "and say: systemctl restart netplugin"
    exit 0
fi
systemctl restart "${daemons[@]/%/.service}"
echo "Contiv runs; packaging/uninstall.sh removes it."
