//! A full disk: everything can be read, nothing changed, and it works again by itself.

use std::process::Command;

use serde_json::{Value, json};

use crate::master::Master;

#[test]
fn a_full_disk_is_said_so_and_goes_by() {
    let dir = tempfile::tempdir().unwrap();
    // 8 MiB in a mount namespace of netmaster's own, which ends with it.
    let script = "mount -t tmpfs -o size=8m contiv-test \"$1\" && shift && exec \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            script,
            "sh",
        ])
        .arg(dir.path());
    let master = Master::start_through(command, dir.path(), &[]);
    master.make("/api/v1/tenants/before/", &json!({}));

    // Its root is where the disk can be seen from outside.
    let disk = format!("/proc/{}/root{}", master.pid(), dir.path().display());
    let ballast = format!("{disk}/ballast");
    fill(&ballast);
    let refused = (0..2000).find_map(|i| {
        let reply = master.post(&format!("/api/v1/tenants/t{i}/"), &json!({}));
        (reply.status != 200).then_some(reply)
    });
    let refused = refused.expect("the disk is never full");
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(
        refused.body["error"]
            .as_str()
            .unwrap()
            .contains("disk is full")
    );
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(master.get("/api/v1/tenants/before/").status, 200);
    let health = |master: &Master| -> Value { master.get("/healthz").body["status"].clone() };
    assert_eq!(health(&master), "read-only");

    std::fs::remove_file(&ballast).unwrap();
    master.make("/api/v1/tenants/after/", &json!({}));
    assert_eq!(health(&master), "ok");
}

fn fill(path: &str) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}
