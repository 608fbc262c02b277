//! The programs, and where each is attached.

/// Classifier at the **ingress of the host's end** of every endpoint's link (`cv…`): what the
/// container sends.
pub const FROM_ENDPOINT: &str = "from_endpoint";

/// Classifier at the **ingress of [`HOST_LINK_INNER`]**: what the host sends out of
/// [`HOST_LINK`].
pub const FROM_HOST: &str = "from_host";

/// Classifier at the **ingress of [`TUNNEL_LINK`]**: what other hosts' endpoints send.
pub const FROM_OVERLAY: &str = "from_overlay";

/// The end of the host's own link that has addresses and routes.
pub const HOST_LINK: &str = "contiv0";

/// The other end, in the same namespace, without addresses. What `from_endpoint` has for the host
/// and the world leaves here, and so enters the host at [`HOST_LINK`].
pub const HOST_LINK_INNER: &str = "contiv1";

/// The link between hosts: a VXLAN device that is told of each packet where it goes.
pub const TUNNEL_LINK: &str = "contivvx0";

pub const ALL: [&str; 3] = [FROM_ENDPOINT, FROM_HOST, FROM_OVERLAY];
