//! `netctl policy status`.

use clap::Args;
use contiv_client::Client;
use contiv_model::inspect::{Inspect, PolicyOper};
use contiv_model::object;

use super::Name;
use crate::failure::Failure;
use crate::output::{InfoFlags, Rows};
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    name: Name,
    #[command(flatten)]
    output: InfoFlags,
}

impl Status {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let key = self.name.key()?;
        let document = client.inspect::<object::Policy>(&key).await?;
        let inspect: Inspect<object::Policy, PolicyOper> = serde_json::from_value(document)
            .map_err(|error| {
                Failure::Invalid(format!(
                    "the inspect document of policy {key} has a form that this version does not \
                     know: {error}"
                ))
            })?;
        let oper = inspect.oper;
        let lines = lines(&key, &oper);
        let document = serde_json::json!({
            "policy": key,
            "revision": oper.revision,
            "hosts": oper.hosts,
        });
        self.output.print(session, &document, &lines)
    }
}

fn lines(key: &str, oper: &PolicyOper) -> String {
    let mut rows = Rows::new(&["Host", "Applied", "State", "Reason"]);
    for host in &oper.hosts {
        rows.add([&host.host, &host.applied, &host.state, &host.reason]);
    }
    let problems: String = oper
        .conditions
        .iter()
        .filter(|condition| !condition.status && !condition.message.is_empty())
        .map(|condition| format!("{}\n", condition.message))
        .collect();
    format!(
        "Policy {key}, last changed in revision {}\n{rows}{problems}",
        oper.revision
    )
}
