//! The programs, and where each is attached.

/// Classifier at the **ingress of the host's end** of every endpoint's link (`cv…`): what the
/// container sends.
pub const FROM_ENDPOINT: &str = "from_endpoint";

/// Classifier at the **ingress of [`HOST_LINK_INNER`]**: what the host sends out of
/// [`HOST_LINK`].
pub const FROM_HOST: &str = "from_host";

/// The end of the host's own link that has addresses and routes.
pub const HOST_LINK: &str = "contiv0";

/// The other end, in the same namespace, without addresses. What `from_endpoint` has for the host
/// and the world leaves here, and so enters the host at [`HOST_LINK`].
pub const HOST_LINK_INNER: &str = "contiv1";

pub const ALL: [&str; 2] = [FROM_ENDPOINT, FROM_HOST];
