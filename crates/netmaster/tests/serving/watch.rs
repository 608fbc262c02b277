//! The stream of changes for people and programs.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::master::Master;

/// Name, data and id of the next event.
fn event(stream: &mut BufReader<TcpStream>) -> (String, Value, Option<String>) {
    let (mut name, mut data, mut id) = (String::new(), Value::Null, None);
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the stream ended");
        match line.trim_end().split_once(": ") {
            Some(("event", value)) => value.clone_into(&mut name),
            Some(("data", value)) => data = serde_json::from_str(value).unwrap(),
            Some(("id", value)) => id = Some(value.to_owned()),
            _ if line.trim().is_empty() && !name.is_empty() => return (name, data, id),
            _ => {}
        }
    }
}

#[test]
fn changes_arrive_in_order_and_a_reader_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let begin = master.get("/api/v1/tenants/").headers["contiv-revision"].clone();
    let mut watcher = master.open("/api/v1/watch/", &[]);
    master.make("/api/v1/tenants/blue/", &json!({}));
    let (name, data, id) = event(&mut watcher);
    assert_eq!(name, "put");
    assert_eq!(
        (&data["kind"], &data["key"]),
        (&json!("tenants"), &json!("blue"))
    );
    assert_eq!(data["object"]["tenantName"], "blue");
    let seen = id.unwrap();
    drop(watcher);

    master.make("/api/v1/policys/blue:p/", &json!({}));
    master.delete("/api/v1/policys/blue:p/");
    let mut watcher = master.open("/api/v1/watch", &[("Last-Event-ID", &seen)]);
    let (name, data, _) = event(&mut watcher);
    assert_eq!((name.as_str(), &data["kind"]), ("put", &json!("policys")));
    let (name, data, _) = event(&mut watcher);
    assert_eq!((name.as_str(), &data["key"]), ("delete", &json!("blue:p")));
    assert!(data.get("object").is_none());

    // A list says from where to follow.
    let mut watcher = master.open(&format!("/api/v1/watch?after={begin}"), &[]);
    assert_eq!(event(&mut watcher).1["key"], "blue");
    let mut watcher = master.open("/api/v1/watch?after=1.1", &[]);
    assert_eq!(event(&mut watcher).0, "reset");
    assert_eq!(master.get("/api/v1/watch?after=x").status, 400);
}
