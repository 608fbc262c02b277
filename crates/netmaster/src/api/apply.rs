//! Many objects at once.

use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::routing::post;
use axum::{Json, Router};
use contiv_fabric::record::Stamp;
use contiv_fabric::{self as fabric, Image};
use contiv_model::manifest::{AppliedPlan, Apply, Declared, KINDS};
use contiv_model::object::fields_of;
use serde_json::Value;

use super::answer::Problem;
use super::body::{Body, Fields, check_names, typed};
use super::kind::Kind;
use super::{Shared, both};

/// Room for tens of thousands of objects.
pub(super) const MAX_OBJECTS: usize = 64 << 20;

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    let methods = post(apply).layer(DefaultBodyLimit::max(MAX_OBJECTS));
    both(router, "/api/v1/apply/", methods)
}

/// Many objects that a client sent. Each is read on its own, so that a refusal says which it is
/// about.
pub(super) struct Intent(pub(super) Apply);

impl<S: Send + Sync> FromRequest<S> for Intent {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Body(fields) = Body::from_request(request, state).await?;
        intent(fields).map(Intent)
    }
}

fn intent(mut fields: Fields) -> Result<Apply, Problem> {
    check_names(&fields, "this request", fields_of::<Apply>(), |_, _| false)?;
    let objects = match fields.get_mut("objects") {
        Some(Value::Array(objects)) => std::mem::take(objects),
        // What is wrong with it is said when the rest is read.
        _ => Vec::new(),
    };
    let request: Apply = typed(fields)?;
    let read = |(index, object)| {
        declared(object).map_err(|problem| problem.within(&format!("objects[{index}]")))
    };
    let objects = objects.into_iter().enumerate().map(read);
    let objects = objects.collect::<Result<_, _>>()?;
    Ok(Apply { objects, ..request })
}

fn declared(value: Value) -> Result<Declared, Problem> {
    let Value::Object(mut fields) = value else {
        return Err(Problem::bad_request("", "it is no object of JSON"));
    };
    let kind = fields.remove("kind").unwrap_or_default();
    Ok(match kind.as_str().unwrap_or_default() {
        "global" => Declared::Global(object(fields)?),
        "tenant" => Declared::Tenant(object(fields)?),
        "network" => Declared::Network(object(fields)?),
        "endpointGroup" => Declared::EndpointGroup(object(fields)?),
        "policy" => Declared::Policy(object(fields)?),
        "rule" => Declared::Rule(object(fields)?),
        _ => {
            let known = KINDS.join(", ");
            let message = match kind {
                Value::Null => format!("kind: is missing; give one of {known}"),
                other => format!("kind: {other} is not known; give one of {known}"),
            };
            return Err(Problem::bad_request("kind", message));
        }
    })
}

fn object<K: Kind>(fields: Fields) -> Result<K, Problem> {
    let noun = format!("a {}", K::NOUN);
    check_names(&fields, &noun, fields_of::<K>(), |_, _| false)?;
    typed(fields)
}

/// Makes what there is what is declared, in one revision; or tells what that would change.
async fn apply(
    State(shared): State<Shared>,
    Intent(mut request): Intent,
) -> Result<Json<AppliedPlan>, Problem> {
    let stamps = complete(&shared, &mut request);
    let decide = |image: &Image| {
        let decide = |reports: &_| fabric::apply(image, reports, &stamps, &request);
        shared.hosts.read(decide)
    };
    let granted = shared.ledger.decide(decide).await?;
    let (plan, revision) = (granted.answer, granted.revision.to_string());
    let (steps, dry_run) = (plan.steps.len(), request.dry_run);
    tracing::info!(steps, dry_run, revision, "applied");
    Ok(Json(AppliedPlan { plan, revision }))
}

/// Fills in what the master decides for declared objects, and gives a stamp for each that is made.
pub(super) fn complete(shared: &Shared, request: &mut Apply) -> Vec<Stamp> {
    for object in &mut request.objects {
        if let Declared::Network(network) = object {
            network.complete(shared.netmode);
        }
    }
    let stamp = |_: &Declared| shared.clock.stamp();
    request.objects.iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<Apply, Problem> {
        match body {
            Value::Object(fields) => intent(fields),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_kind_is_read() {
        let objects: Vec<Value> = KINDS.iter().map(|kind| json!({"kind": kind})).collect();
        let request = read(json!({"objects": objects, "dryRun": true})).unwrap();
        let kinds: Vec<&str> = request.objects.iter().map(Declared::kind).collect();
        assert_eq!(kinds, KINDS);
        assert!(request.dry_run);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (body, said) in [
            (
                json!({"objects": [{"kind": "tenant"}, {"kind": "rule", "port": "x"}]}),
                r#""objects[1].port: invalid type: string \"x\", expected u32", field: "objects[1].port""#,
            ),
            (
                json!({"objects": [{"kind": "rule", "fromEndPointGroup": "web"}]}),
                r#""objects[0].fromEndPointGroup: is no field of a rule; did you mean fromEndpointGroup?", field: "objects[0].fromEndPointGroup""#,
            ),
            (
                json!({"objects": [{"kind": "volume"}]}),
                r#"objects[0].kind: \"volume\" is not known; give one of global, tenant"#,
            ),
            (
                json!({"objects": [{"tenantName": "blue"}]}),
                r#"objects[0].kind: is missing; give one of"#,
            ),
            (
                json!({"objects": [{"kind": 7}]}),
                r#"objects[0].kind: 7 is not known"#,
            ),
            (
                json!({"objects": ["rule"]}),
                r#""objects[0]: it is no object of JSON", field: "objects[0]""#,
            ),
            (
                json!({"objects": {"kind": "rule"}}),
                r#""objects: invalid type"#,
            ),
            (json!({}), r#""objects: is missing", field: "objects""#),
            (
                json!({"objects": [], "prun": true}),
                "prun: is no field of this request; did you mean prune?",
            ),
            (json!({"objects": [], "prune": "yes"}), r#"field: "prune""#),
        ] {
            let problem = format!("{:?}", read(body.clone()).unwrap_err());
            assert!(problem.contains(said), "{body}: {problem}");
        }
    }
}
