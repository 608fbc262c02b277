//! `netctl wait`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use contiv_client::{Client, Error};
use contiv_model::object::{EndpointGroup, Global, Network, Policy, Tenant};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::command::scope::{TenantFlag, plain};
use crate::conditions::{Target, conditions, is_met, summary};
use crate::failure::Failure;
use crate::session::Session;

/// Between two looks at the object.
const INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netctl wait network contiv-net --for=Realised --timeout=30s\n  \
    netctl wait group web -t blue --for=deleted")]
pub(crate) struct Wait {
    /// What kind of object it is.
    #[arg(value_enum)]
    kind: Kind,
    /// Name of the object; for an endpoint a part of its id or container's name.
    name: String,
    #[command(flatten)]
    tenant: TenantFlag,
    /// Condition to wait for, `CONDITION=false` for its opposite, or `deleted`.
    #[arg(long = "for", default_value = "Ready", value_name = "CONDITION")]
    target: Target,
    /// How long to wait at most: 500ms, 30s, 2m; a bare number counts seconds.
    #[arg(long, default_value = "30s", value_parser = duration)]
    timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Tenant,
    #[value(alias = "net")]
    Network,
    Group,
    Policy,
    #[value(alias = "ep")]
    Endpoint,
    Global,
}

impl Wait {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let noun = self
            .kind
            .to_possible_value()
            .map(|v| v.get_name().to_owned());
        let title = format!("{} {}", noun.unwrap_or_default(), self.name);
        let deadline = Instant::now() + self.timeout;
        loop {
            let document = match self.inspect(client).await? {
                Ok(document) => Some(document),
                Err(error) if error.is_not_found() => None,
                // A master that restarts is worth waiting for as well.
                Err(error) if error.is_transient() && Instant::now() < deadline => {
                    sleep(INTERVAL).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if let Some(news) = self.met(document.as_ref()) {
                return session.say(&format!("{title} {news}"));
            }
            if Instant::now() >= deadline {
                let state = match &document {
                    Some(document) => summary(&conditions(document)),
                    None => "it does not exist".into(),
                };
                let after = self.timeout.as_secs_f64();
                return Err(Failure::Invalid(format!(
                    "{title} is not there after {after} s: {state}"
                )));
            }
            sleep(INTERVAL).await;
        }
    }

    /// What there is to say when the wish has come true.
    fn met(&self, document: Option<&Value>) -> Option<String> {
        match (&self.target, document) {
            (Target::Deleted, None) => Some("is deleted".into()),
            (Target::Condition { kind, status }, Some(document)) => {
                is_met(&conditions(document), kind, *status).then(|| format!("is {kind}={status}"))
            }
            _ => None,
        }
    }

    async fn inspect(&self, client: &Client) -> Result<Result<Value, Error>, Failure> {
        let key = match self.kind {
            Kind::Network | Kind::Group | Kind::Policy => self.tenant.key(&self.name)?,
            Kind::Tenant | Kind::Endpoint | Kind::Global => {
                plain("NAME", &self.name)?;
                self.name.clone()
            }
        };
        Ok(match self.kind {
            Kind::Tenant => client.inspect::<Tenant>(&key).await,
            Kind::Network => client.inspect::<Network>(&key).await,
            Kind::Group => client.inspect::<EndpointGroup>(&key).await,
            Kind::Policy => client.inspect::<Policy>(&key).await,
            Kind::Endpoint => client.inspect_endpoint(&key).await,
            Kind::Global => client.inspect::<Global>(&key).await,
        })
    }
}

/// A span of time as people write it.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let unit_at = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("the unit must be ms, s, m or h".into()),
    };
    let number: f64 = number.parse().map_err(|_| "not a time such as 30s")?;
    Duration::try_from_secs_f64(number * scale).map_err(|_| "not a time such as 30s".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        for bad in ["", "s", "-1s", "5 days", "1e400"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }
}
