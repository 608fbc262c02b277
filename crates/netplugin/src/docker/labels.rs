//! How a Docker network says which of our objects it stands for.

use std::collections::BTreeMap;

use contiv_model::agent::PoolRef;

pub(crate) const UID: &str = "contiv.uid";
const TENANT: &str = "contiv.tenant";
const NETWORK: &str = "contiv.network";
const GROUP: &str = "contiv.group";

/// The labels of the Docker network of one object.
pub(crate) fn labels(uid: &str, pool: &PoolRef) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([
        (UID.to_owned(), uid.to_owned()),
        (TENANT.to_owned(), pool.tenant.clone()),
        (NETWORK.to_owned(), pool.network.clone()),
    ]);
    labels.extend(
        pool.group
            .iter()
            .map(|group| (GROUP.to_owned(), group.clone())),
    );
    labels
}

/// The options of the Docker network of one object, for either driver: IPAM options
/// reach only the pool's request, driver options only the network's creation.
pub(crate) fn options(pool: &PoolRef) -> BTreeMap<String, String> {
    let mut options = BTreeMap::from([
        ("tenant".to_owned(), pool.tenant.clone()),
        ("network".to_owned(), pool.network.clone()),
    ]);
    options.extend(
        pool.group
            .iter()
            .map(|group| ("group".to_owned(), group.clone())),
    );
    options
}

/// What a Docker network's driver options name, as far as they name a network.
pub(crate) fn named_by(options: &BTreeMap<String, String>) -> Option<PoolRef> {
    let network = options.get("network")?.clone();
    let tenant = options.get("tenant").cloned();
    let tenant = tenant.unwrap_or_else(|| crate::mirror::DEFAULT_TENANT.to_owned());
    Some(PoolRef {
        tenant,
        network,
        group: options.get("group").cloned(),
    })
}

/// The Docker network's name: that of the group or network, with the tenant behind it
/// unless it is the default one.
pub(crate) fn docker_name(pool: &PoolRef) -> String {
    let name = pool.group.as_ref().unwrap_or(&pool.network);
    match pool.tenant.as_str() {
        crate::mirror::DEFAULT_TENANT => name.clone(),
        tenant => format!("{name}/{tenant}"),
    }
}
