//! netctl of one version, and a master of another.

use anyhow::ensure;
use contiv_testbed::{Stack, Version};

use crate::scene::{Cast, OLDER, Result, story};

#[test]
fn an_older_netctl_works_with_this_master() -> Result<()> {
    story(Version::This, Version::This, |stack| {
        stack.netctl_version = OLDER;
        works(stack)
    })
}

#[test]
fn this_netctl_works_with_an_older_master() -> Result<()> {
    story(OLDER, OLDER, |stack| {
        stack.netctl_version = Version::This;
        works(stack)?;
        // What the older master cannot do is said in words that help, not in those of HTTP.
        for line in ["doctor", "events", "policy matrix"] {
            let output = stack.try_netctl(line)?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(!output.status.success(), "{line} succeeds");
            ensure!(said.contains("earlier version"), "netctl {line}: {said}");
        }
        Ok(())
    })
}

fn works(stack: &Stack) -> Result<()> {
    let mut cast = Cast::of(stack)?;
    cast.works(stack)?;
    for (line, part) in [
        ("net ls", "10.1.0.0/16"),
        ("net inspect private", "10.1.0.0/16"),
        ("group ls", "guarded"),
        ("policy ls", "p"),
        ("policy rule-ls p", "8000"),
        ("tenant ls", "default"),
        ("endpoint ls", "ann"),
        ("version", "0."),
    ] {
        let told = stack.netctl(line)?;
        ensure!(told.contains(part), "netctl {line}: {told}");
    }
    for (line, part) in [
        ("net create private -s 10.9.0.0/16", "private"),
        ("net create other -s 10.1.0.0/24", "10.1.0.0"),
        ("net rm private", "group"),
        ("group rm nobody", "nobody"),
    ] {
        let output = stack.try_netctl(line)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success(), "netctl {line} succeeds");
        ensure!(said.contains(part), "netctl {line}: {said}");
    }
    cast.ends(stack, "netctl of another version")
}
