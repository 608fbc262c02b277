//! What the fabric is to be like, as a whole: objects with their kinds, and the steps from
//! what there is to that.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::object::{EndpointGroup, Global, Keyed, Network, Policy, Rule, Tenant};

/// An object with its `kind` beside its own fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Declared {
    Global(Global),
    Tenant(Tenant),
    Network(Network),
    EndpointGroup(EndpointGroup),
    Policy(Policy),
    Rule(Rule),
}

/// The body of `POST /api/v1/apply/`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Apply {
    /// In any order; all of them take effect in one revision, or none.
    pub objects: Vec<Declared>,
    /// Remove what the tenants of these objects have besides them. Tenants stay, and so do
    /// networks that were made for a Docker network.
    #[serde(default)]
    pub prune: bool,
    /// Only tell the plan.
    #[serde(default)]
    pub dry_run: bool,
    /// Refuse when the plan has become another one than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Vec<Step>>,
}

/// The answer: what was done, or would be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// How many of the objects are there as they are to be.
    pub unchanged: u64,
}

/// The answer to an [`Apply`] with the revision in which it is so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AppliedPlan {
    #[serde(flatten)]
    pub plan: Plan,
    /// `EPOCH.NUMBER`.
    pub revision: String,
}

/// What happens to one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub change: Change,
    /// As in [`Declared`].
    pub kind: String,
    pub key: String,
    /// The fields that change, of an object that stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    Create,
    Change,
    Remove,
}

/// A field's value before and after; null where it has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    pub field: String,
    #[schema(value_type = Object)]
    pub from: Value,
    #[schema(value_type = Object)]
    pub to: Value,
}

/// The kinds, in the order in which objects build on each other.
pub const KINDS: [&str; 6] = [
    "global",
    "tenant",
    "network",
    "policy",
    "endpointGroup",
    "rule",
];

impl Declared {
    /// The word of the field `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Declared::Global(_) => "global",
            Declared::Tenant(_) => "tenant",
            Declared::Network(_) => "network",
            Declared::EndpointGroup(_) => "endpointGroup",
            Declared::Policy(_) => "policy",
            Declared::Rule(_) => "rule",
        }
    }

    /// The key that the fields spell.
    pub fn key(&self) -> String {
        match self {
            Declared::Global(object) => object.key_of_fields(),
            Declared::Tenant(object) => object.key_of_fields(),
            Declared::Network(object) => object.key_of_fields(),
            Declared::EndpointGroup(object) => object.key_of_fields(),
            Declared::Policy(object) => object.key_of_fields(),
            Declared::Rule(object) => object.key_of_fields(),
        }
    }

    /// The tenant that it is, or is of.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Declared::Global(_) => None,
            Declared::Tenant(object) => Some(&object.tenant_name),
            Declared::Network(object) => Some(&object.tenant_name),
            Declared::EndpointGroup(object) => Some(&object.tenant_name),
            Declared::Policy(object) => Some(&object.tenant_name),
            Declared::Rule(object) => Some(&object.tenant_name),
        }
    }
}
