#!/usr/bin/env bash
# Removes what install.sh brought, and what the programs left in Docker and in the kernel.
# --purge also removes the data in /var/lib/contiv and the settings in /etc/contiv.
# DESTDIR: remove the files below this directory only.
set -euo pipefail

destdir=${DESTDIR:-}
purge=no
if [ "${1:-}" = --purge ]; then purge=yes; fi

remove_files() {
    rm -f "$destdir"/usr/local/bin/{netmaster,netplugin,netctl}
    rm -f "$destdir"/etc/systemd/system/{netmaster,netplugin}.service
}

if [ -n "$destdir" ]; then
    remove_files
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "root is needed: sudo $0" >&2
    exit 1
fi

# Docker's networks first, while the driver still answers.
if docker version >/dev/null 2>&1; then
    for network in $(docker network ls -q --filter driver=netplugin); do
        used=$(docker ps -q --filter "network=$network")
        if [ -n "$used" ]; then
            echo "containers still run on Contiv networks; stop them first:" >&2
            docker ps --filter "network=$network" >&2
            exit 1
        fi
    done
fi
systemctl disable --now netmaster.service 2>/dev/null || true
if docker version >/dev/null 2>&1; then
    for network in $(docker network ls -q --filter driver=netplugin); do
        docker network rm "$network" >/dev/null || true
    done
fi
systemctl disable --now netplugin.service 2>/dev/null || true

# What the agent made in the kernel, and then what an older one may have left.
/usr/local/bin/netplugin cleanup || true
for link in $(ip -br link show type veth | sed -n -E 's/^((cv|cc)[0-9a-f]+|contiv0)[@ ].*/\1/p'); do
    ip link del "$link" 2>/dev/null || true
done
rm -rf /sys/fs/bpf/contiv /run/docker/plugins/netplugin.sock /run/contiv
nft delete table inet contiv 2>/dev/null || true
iptables -S 2>/dev/null | sed -n 's/^-A \(.*contiv.*\)/\1/p' | while read -r rule; do
    echo "$rule" | xargs iptables -D
done

remove_files
systemctl daemon-reload
if [ "$purge" = yes ]; then
    rm -rf /var/lib/contiv /etc/contiv
else
    echo "The data in /var/lib/contiv is kept; --purge removes it."
fi
