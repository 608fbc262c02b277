//! A master and an agent of different versions work with each other, whichever is older.

use contiv_testbed::Version;

use crate::scene::{Cast, OLDER, Result, story};

#[test]
fn an_older_agent_works_for_this_master() -> Result<()> {
    works(Version::This, OLDER)
}

#[test]
fn this_agent_works_for_an_older_master() -> Result<()> {
    works(OLDER, Version::This)
}

fn works(master: Version, agent: Version) -> Result<()> {
    story(master, agent, |stack| {
        let mut cast = Cast::of(stack)?;
        cast.works(stack)?;
        // Either may start again, and finds what the other kept.
        stack.kill_agent();
        cast.holds()?;
        stack.start_agent()?;
        cast.works(stack)?;
        stack.kill_master();
        cast.holds()?;
        stack.start_master()?;
        stack.until_live()?;
        cast.works(stack)?;
        cast.ends(stack, "versions beside each other")
    })
}
