#!/usr/bin/env bash
# Removes what install.sh brought, and what the programs left in Docker and in the kernel.
# --purge also removes the data in /var/lib/contiv and the settings in /etc/contiv.
# --keep-swarm leaves the networks of a Swarm that other hosts go on using.
# DESTDIR: remove the files below this directory only.
set -euo pipefail

destdir=${DESTDIR:-}
purge=no
keep_swarm=no
for option in "$@"; do
    case $option in
        --purge) purge=yes ;;
        --keep-swarm) keep_swarm=yes ;;
        *)
            echo "there is no option $option: --purge, --keep-swarm" >&2
            exit 1
            ;;
    esac
done

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

engine=no
if docker version >/dev/null 2>&1; then engine=yes; fi

# The agent's own driver, and the managed plugin, which passes a Swarm's calls to the agent.
own='netplugin'
managed='([^ ]*/)?contiv/netplugin(:[^ ]*)?'

# One field of each of Docker's networks whose driver is such a one.
networks() {
    if [ "$engine" = no ]; then return; fi
    docker network ls --no-trunc --format "{{.Driver}} {{.$2}}" |
        awk -v driver="^($1)\$" '$1 ~ driver { print $2 }'
}

# What stands in the way, before anything is touched; and Docker's networks while drivers still answer.
for network in $(networks "$own" ID) $(networks "$managed" ID); do
    used=$(docker ps -q --filter "network=$network")
    if [ -n "$used" ]; then
        echo "containers still run on Contiv networks; stop them first. Tasks of a Swarm go by" >&2
        echo "docker node update --availability drain NODE, at a manager." >&2
        docker ps --filter "network=$network" >&2
        exit 1
    fi
done
if [ "$keep_swarm" = no ] && [ -n "$(networks "$managed" Name)" ]; then
    echo "The Swarm still has Contiv networks, and their addresses are given back by this host's agent." >&2
    echo "Remove them at a manager, or say --keep-swarm if other hosts go on using them:" >&2
    networks "$managed" Name | sed 's/^/docker network rm /' >&2
    exit 1
fi

systemctl disable --now netmaster.service 2>/dev/null || true
for network in $(networks "$own" ID); do
    docker network rm "$network" >/dev/null || true
done
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
if [ "$engine" = yes ]; then
    docker plugin ls --format '{{.Name}}' | grep -E "^$managed\$" | while read -r plugin; do
        echo "The managed plugin is kept, and of no use now: docker plugin rm --force $plugin"
    done || true
fi
