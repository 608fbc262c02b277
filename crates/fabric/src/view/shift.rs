//! How tenants and hosts moved in a change: who knows whom, before and now.

use std::collections::{BTreeMap, BTreeSet};

use contiv_model::agent::HostView;

use super::object;
use crate::image::{Applied, Before, DEFAULT_TENANT, Image};
use crate::key::Key;

/// Where endpoints came and went, and which hosts have other addresses.
#[derive(Clone, Debug, Default)]
pub(super) struct Shift {
    /// Endpoints before and now, by host and tenant, where endpoints were written.
    counts: BTreeMap<String, BTreeMap<String, (usize, usize)>>,
    /// Hosts as others saw them before, where hosts were written.
    views: BTreeMap<String, Option<HostView>>,
    /// Hosts that others may come to see, or see no more.
    hosts: BTreeSet<String>,
}

impl Shift {
    pub(super) fn of(image: &Image, applied: &Applied) -> Shift {
        let mut shift = Shift::default();
        let mut moves: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
        for (key, before) in applied.objects.values() {
            match (key, before) {
                (Key::Host(name), before) => {
                    let view = match before {
                        Some(Before::Host(before)) => object::host_view(before),
                        _ => None,
                    };
                    if image.host(name).and_then(object::host_view) != view {
                        shift.hosts.insert(name.clone());
                    }
                    shift.views.insert(name.clone(), view);
                }
                (Key::Endpoint(id), before) => {
                    if let Some(Before::Endpoint(before)) = before {
                        moves.entry((&before.host, &before.tenant)).or_default().0 += 1;
                    }
                    if let Some(now) = image.endpoint(id) {
                        moves.entry((&now.host, &now.tenant)).or_default().1 += 1;
                    }
                }
                _ => {}
            }
        }
        for ((host, tenant), (gone, come)) in moves {
            let now = image.endpoints_at(tenant, host);
            let before = now + gone - come;
            if (before > 0) != (now > 0) {
                shift.hosts.insert(host.to_owned());
            }
            let tenants = shift.counts.entry(host.to_owned()).or_default();
            tenants.insert(tenant.to_owned(), (before, now));
        }
        shift
    }

    /// Whether a host is to know what is of a tenant.
    pub(super) fn knows(&self, image: &Image, tenant: &str, host: &str) -> bool {
        tenant == DEFAULT_TENANT || image.is_present(tenant, host)
    }

    /// Whether it was to know that before.
    pub(super) fn knew(&self, image: &Image, tenant: &str, host: &str) -> bool {
        tenant == DEFAULT_TENANT || self.was_present(image, tenant, host)
    }

    /// The tenants that came to a host or left it, but for the one that all hosts know.
    pub(super) fn moved(&self, host: &str) -> impl Iterator<Item = &str> {
        let tenants = self.counts.get(host).into_iter().flatten();
        let moved = tenants.filter(|(_, (before, now))| (*before > 0) != (*now > 0));
        moved
            .map(|(tenant, _)| tenant.as_str())
            .filter(|tenant| *tenant != DEFAULT_TENANT)
    }

    /// The hosts that others may come to see, or see no more.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(String::as_str)
    }

    /// The hosts that `host` may come to see, or see no more.
    pub(super) fn candidates<'a>(&'a self, image: &'a Image, host: &str) -> BTreeSet<&'a str> {
        let mut candidates: BTreeSet<&str> = self.hosts().collect();
        for tenant in self.moved(host) {
            candidates.extend(image.hosts_of(tenant));
        }
        candidates
    }

    /// The view of `other` that `host` was to have before, and is to have now.
    pub(super) fn seen(
        &self,
        image: &Image,
        host: &str,
        other: &str,
    ) -> (Option<HostView>, Option<HostView>) {
        if host == other {
            return (None, None);
        }
        let now = image.host(other).and_then(object::host_view);
        let before = self
            .views
            .get(other)
            .cloned()
            .unwrap_or_else(|| now.clone());
        let mut tenants = image.tenants_on(other);
        let now = now.filter(|_| tenants.any(|tenant| self.knows(image, tenant, host)));
        let before = before.filter(|_| {
            let here = image.tenants_on(other);
            let left = self.counts.get(other).into_iter().flat_map(BTreeMap::keys);
            let mut all = here.chain(left.map(String::as_str));
            all.any(|tenant| {
                self.was_present(image, tenant, other) && self.knew(image, tenant, host)
            })
        });
        (before, now)
    }

    fn was_present(&self, image: &Image, tenant: &str, host: &str) -> bool {
        let counts = self.counts.get(host).and_then(|of| of.get(tenant));
        counts.map_or_else(|| image.is_present(tenant, host), |(before, _)| *before > 0)
    }
}
