//! Versions: `ETag`, `If-Match`, `If-None-Match`.

use serde_json::json;

use crate::master::Master;

const RULE: &str = "/api/v1/rules/default:p:1/";

fn rule(priority: u32) -> String {
    json!({"direction": "in", "action": "allow", "priority": priority}).to_string()
}

#[test]
fn of_those_who_change_what_they_saw_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    master.make("/api/v1/policys/default:p/", &json!({}));
    let made = master.call("PUT", RULE, &[("If-None-Match", "*")], &rule(1));
    assert_eq!(made.status, 200, "{}", made.body);
    let again = master.call("PUT", RULE, &[("If-None-Match", "*")], &rule(1));
    assert_eq!(again.status, 412);
    for round in 1..5 {
        let seen = master.get(RULE);
        let tag = seen.headers["etag"].clone();
        let unchanged = master.call("GET", RULE, &[("If-None-Match", &tag)], "");
        assert_eq!(unchanged.status, 304);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let rivals: Vec<_> = (0..8)
                .map(|i| {
                    let (master, tag) = (&master, &tag);
                    let body = rule(round * 10 + i);
                    scope
                        .spawn(move || master.call("PUT", RULE, &[("If-Match", tag)], &body).status)
                })
                .collect();
            rivals
                .into_iter()
                .map(|rival| rival.join().unwrap())
                .collect()
        });
        let winners = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(winners, 1, "{statuses:?}");
        assert!(
            statuses.iter().all(|s| matches!(s, 200 | 412)),
            "{statuses:?}"
        );
        assert_ne!(master.get(RULE).headers["etag"], tag);
    }
    let stale = made.headers["etag"].clone();
    let other = "\"1.1\"".to_owned();
    for tag in [&stale, &other] {
        let refused = master.call("DELETE", RULE, &[("If-Match", tag)], "");
        assert_eq!(refused.status, 412, "{}", refused.body);
    }
    let now = master.get(RULE).headers["etag"].clone();
    let bad = master.call("DELETE", RULE, &[("If-Match", "x")], "");
    assert_eq!((bad.status, &bad.body["field"]), (400, &json!("If-Match")));
    assert_eq!(
        master
            .call("DELETE", RULE, &[("If-Match", &now)], "")
            .status,
        200
    );
    assert_eq!(
        master
            .call("PUT", RULE, &[("If-Match", "*")], &rule(1))
            .status,
        412
    );
}
