//! A host is upgraded in place while packets flow, in either order.

use anyhow::ensure;
use contiv_testbed::{Stack, Version};

use crate::scene::{Cast, OLDER, Result, layouts, story};

#[test]
fn a_host_is_upgraded_agent_first() -> Result<()> {
    story(OLDER, OLDER, |stack| {
        let mut cast = Cast::of(stack)?;
        upgrade_agent(stack, &mut cast)?;
        upgrade_master(stack, &mut cast)?;
        cast.ends(stack, "upgraded, agent first")
    })
}

#[test]
fn a_host_is_upgraded_master_first() -> Result<()> {
    story(OLDER, OLDER, |stack| {
        let mut cast = Cast::of(stack)?;
        upgrade_master(stack, &mut cast)?;
        upgrade_agent(stack, &mut cast)?;
        cast.ends(stack, "upgraded, master first")
    })
}

/// The agent is killed; this tree's takes over links, maps and connections.
fn upgrade_agent(stack: &mut Stack, cast: &mut Cast) -> Result<()> {
    let before = layouts(stack)?;
    stack.kill_agent();
    cast.holds()?;
    stack.agent_version = Version::This;
    stack.start_agent()?;
    cast.holds()?;
    let after = layouts(stack)?;
    ensure!(
        before == ["v1"] && after == ["v2"],
        "{before:?}, then {after:?}"
    );
    cast.works(stack)
}

/// The master is killed; this tree's takes over its store.
fn upgrade_master(stack: &mut Stack, cast: &mut Cast) -> Result<()> {
    stack.kill_master();
    cast.holds()?;
    stack.master_version = Version::This;
    stack.netctl_version = Version::This;
    stack.start_master()?;
    stack.until_live()?;
    cast.holds()?;
    let rules = stack.netctl("policy rule-ls p")?;
    ensure!(rules.contains("8000") && rules.contains("deny"), "{rules}");
    cast.works(stack)
}
