//! The kinds of configuration objects: how each is found, decided on and shown.

use contiv_fabric::{self as fabric, record::Stamp};
use contiv_fabric::{Decided, HostReports, Image, Key, oper};
use contiv_model::inspect::{GlobalOper, GroupOper, NetworkOper, PolicyOper, RuleOper, TenantOper};
use contiv_model::object::{EndpointGroup, Global, Keyed, Network, Policy, Rule, Tenant};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::links::Links;
use crate::config::NetMode;

/// A kind of configuration object.
pub(crate) trait Kind:
    Keyed + Serialize + DeserializeOwned + ToSchema + Send + Sync + Clone + 'static
{
    type Oper: Serialize + ToSchema + Send;

    /// Fields of the original that mean nothing here: its clients send them.
    const FOREIGN: &'static [&'static str] = &[];

    /// Where the object lives in the store.
    fn place(key: &str) -> Key;

    fn get<'a>(image: &'a Image, key: &str) -> Option<&'a Self>;

    /// Every object of the kind, in the order of keys.
    fn list(image: &Image) -> impl Iterator<Item = (&str, &Self)>;

    fn put(
        image: &Image,
        reports: &HostReports,
        stamp: &Stamp,
        object: &Self,
        expected: Option<u64>,
    ) -> Decided<Self>;

    fn delete(image: &Image, key: &str, expected: Option<u64>) -> Decided<()>;

    fn oper(image: &Image, reports: &HostReports, key: &str) -> Option<Self::Oper>;

    fn links(&self, image: &Image) -> Links;

    /// Fills in what the master's options say about fields that a client left out.
    fn complete(&mut self, _: Option<NetMode>) {}
}

impl Kind for Global {
    type Oper = GlobalOper;

    fn place(_: &str) -> Key {
        Key::Global
    }

    fn get<'a>(image: &'a Image, key: &str) -> Option<&'a Self> {
        let known = image.global().filter(|_| key == "global");
        known.map(|known| &known.record.object)
    }

    fn list(image: &Image) -> impl Iterator<Item = (&str, &Self)> {
        let known = image.global().into_iter();
        known.map(|known| ("global", &known.record.object))
    }

    fn put(
        image: &Image,
        _: &HostReports,
        stamp: &Stamp,
        object: &Self,
        expected: Option<u64>,
    ) -> Decided<Self> {
        fabric::put_global(image, stamp, object, expected)
    }

    fn delete(image: &Image, _: &str, _: Option<u64>) -> Decided<()> {
        fabric::delete_global(image)
    }

    fn oper(image: &Image, reports: &HostReports, key: &str) -> Option<GlobalOper> {
        Self::get(image, key).map(|_| oper::global(image, reports))
    }

    fn links(&self, _: &Image) -> Links {
        Links::default()
    }
}

impl Kind for Tenant {
    type Oper = TenantOper;

    fn place(key: &str) -> Key {
        Key::Tenant(key.to_owned())
    }

    fn get<'a>(image: &'a Image, key: &str) -> Option<&'a Self> {
        image.tenant(key).map(|known| &known.object)
    }

    fn list(image: &Image) -> impl Iterator<Item = (&str, &Self)> {
        image.tenants().map(|(key, known)| (key, &known.object))
    }

    fn put(
        image: &Image,
        _: &HostReports,
        stamp: &Stamp,
        object: &Self,
        expected: Option<u64>,
    ) -> Decided<Self> {
        fabric::put_tenant(image, stamp, object, expected)
    }

    fn delete(image: &Image, key: &str, expected: Option<u64>) -> Decided<()> {
        fabric::delete_tenant(image, key, expected)
    }

    fn oper(image: &Image, reports: &HostReports, key: &str) -> Option<TenantOper> {
        oper::tenant(image, reports, key)
    }

    fn links(&self, image: &Image) -> Links {
        let name = &self.tenant_name;
        Links::default()
            .set(
                "networks",
                "network",
                image.networks_of(name).map(|(key, _)| key),
            )
            .set(
                "endpointGroups",
                "endpointGroup",
                image.groups_of(name).map(|(key, _)| key),
            )
            .set(
                "policies",
                "policy",
                image.policies_of(name).map(|(key, _)| key),
            )
    }
}

impl Kind for Network {
    type Oper = NetworkOper;

    fn place(key: &str) -> Key {
        Key::Network(key.to_owned())
    }

    fn get<'a>(image: &'a Image, key: &str) -> Option<&'a Self> {
        image.network(key).map(|known| &known.record.object)
    }

    fn list(image: &Image) -> impl Iterator<Item = (&str, &Self)> {
        image
            .networks()
            .map(|(key, known)| (key, &known.record.object))
    }

    fn put(
        image: &Image,
        reports: &HostReports,
        stamp: &Stamp,
        object: &Self,
        expected: Option<u64>,
    ) -> Decided<Self> {
        fabric::put_network(image, reports, stamp, object, expected)
    }

    fn delete(image: &Image, key: &str, expected: Option<u64>) -> Decided<()> {
        fabric::delete_network(image, key, expected)
    }

    fn oper(image: &Image, reports: &HostReports, key: &str) -> Option<NetworkOper> {
        oper::network(image, reports, key)
    }

    fn links(&self, image: &Image) -> Links {
        let groups = image.groups_of_network(&self.key).map(|(key, _)| key);
        Links::default()
            .to("tenant", "tenant", &self.tenant_name)
            .set("endpointGroups", "endpointGroup", groups)
    }

    fn complete(&mut self, netmode: Option<NetMode>) {
        if self.encap.is_empty() {
            self.encap = match netmode {
                None => return,
                Some(NetMode::Vlan) => "vlan".into(),
                Some(NetMode::Vxlan) => "vxlan".into(),
            };
        }
    }
}

impl Kind for EndpointGroup {
    type Oper = GroupOper;

    const FOREIGN: &'static [&'static str] = &["netProfile", "extContractsGrps"];

    fn place(key: &str) -> Key {
        Key::Group(key.to_owned())
    }

    fn get<'a>(image: &'a Image, key: &str) -> Option<&'a Self> {
        image.group(key).map(|known| &known.record.object)
    }

    fn list(image: &Image) -> impl Iterator<Item = (&str, &Self)> {
        image
            .groups()
            .map(|(key, known)| (key, &known.record.object))
    }

    fn put(
        image: &Image,
        _: &HostReports,
        stamp: &Stamp,
        object: &Self,
        expected: Option<u64>,
    ) -> Decided<Self> {
        fabric::put_group(image, stamp, object, expected)
    }

    fn delete(image: &Image, key: &str, expected: Option<u64>) -> Decided<()> {
        fabric::delete_group(image, key, expected)
    }

    fn oper(image: &Image, reports: &HostReports, key: &str) -> Option<GroupOper> {
        oper::group(image, reports, key)
    }

    fn links(&self, image: &Image) -> Links {
        let tenant = &self.tenant_name;
        let policies = self.policies.iter().map(|name| format!("{tenant}:{name}"));
        let name = &self.group_name;
        let about =
            |rule: &Rule| rule.from_endpoint_group == *name || rule.to_endpoint_group == *name;
        let matching = image
            .rules_of(tenant)
            .filter(|(_, known)| about(&known.record.object))
            .map(|(key, _)| key);
        Links::default()
            .to("tenant", "tenant", tenant)
            .to(
                "network",
                "network",
                &format!("{tenant}:{}", self.network_name),
            )
            .set("policies", "policy", policies)
            .set("matchRules", "rule", matching)
    }
}

impl Kind for Policy {
    type Oper = PolicyOper;

    fn place(key: &str) -> Key {
        Key::Policy(key.to_owned())
    }

    fn get<'a>(image: &'a Image, key: &str) -> Option<&'a Self> {
        image.policy(key).map(|known| &known.record.object)
    }

    fn list(image: &Image) -> impl Iterator<Item = (&str, &Self)> {
        image
            .policies()
            .map(|(key, known)| (key, &known.record.object))
    }

    fn put(
        image: &Image,
        _: &HostReports,
        stamp: &Stamp,
        object: &Self,
        expected: Option<u64>,
    ) -> Decided<Self> {
        fabric::put_policy(image, stamp, object, expected)
    }

    fn delete(image: &Image, key: &str, expected: Option<u64>) -> Decided<()> {
        fabric::delete_policy(image, key, expected)
    }

    fn oper(image: &Image, reports: &HostReports, key: &str) -> Option<PolicyOper> {
        oper::policy(image, reports, key)
    }

    fn links(&self, image: &Image) -> Links {
        let has = |policies: &[String]| policies.contains(&self.policy_name);
        let groups = image
            .groups_of(&self.tenant_name)
            .filter(|(_, known)| has(&known.record.object.policies))
            .map(|(key, _)| key);
        Links::default()
            .to("tenant", "tenant", &self.tenant_name)
            .set("endpointGroups", "endpointGroup", groups)
            .set(
                "rules",
                "rule",
                image.rules_of(&self.key).map(|(key, _)| key),
            )
    }
}

impl Kind for Rule {
    type Oper = RuleOper;

    fn place(key: &str) -> Key {
        Key::Rule(key.to_owned())
    }

    fn get<'a>(image: &'a Image, key: &str) -> Option<&'a Self> {
        image.rule(key).map(|known| &known.record.object)
    }

    fn list(image: &Image) -> impl Iterator<Item = (&str, &Self)> {
        image
            .rules()
            .map(|(key, known)| (key, &known.record.object))
    }

    fn put(
        image: &Image,
        _: &HostReports,
        stamp: &Stamp,
        object: &Self,
        expected: Option<u64>,
    ) -> Decided<Self> {
        fabric::put_rule(image, stamp, object, expected)
    }

    fn delete(image: &Image, key: &str, expected: Option<u64>) -> Decided<()> {
        fabric::delete_rule(image, key, expected)
    }

    fn oper(image: &Image, reports: &HostReports, key: &str) -> Option<RuleOper> {
        oper::rule(image, reports, key)
    }

    fn links(&self, _: &Image) -> Links {
        let tenant = &self.tenant_name;
        let policy = format!("{tenant}:{}", self.policy_name);
        let links = Links::default().set("policies", "policy", std::iter::once(policy));
        match [&self.from_endpoint_group, &self.to_endpoint_group]
            .into_iter()
            .find(|name| !name.is_empty())
        {
            Some(group) => links.to(
                "matchEndpointGroup",
                "endpointGroup",
                &format!("{tenant}:{group}"),
            ),
            None => links,
        }
    }
}
