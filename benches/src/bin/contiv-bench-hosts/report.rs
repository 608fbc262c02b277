//! What all of it came to, for people.

use std::fmt::Write as _;

use anyhow::Result;

use crate::{BARS, Change, Cli, Readings};

pub(crate) fn report(cli: &Cli, all: &[Readings]) -> Result<String> {
    let mut out = String::from(
        "# One netmaster and very many hosts\n\nWritten by `contiv-bench-hosts`. The hosts are \
         simulated in one process beside the netmaster, on the same processors: each speaks the \
         real protocol over a connection of its own, and only its kernel is missing. Times are \
         from the call that makes a change to the moment that a host has read it.\n\n",
    );
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    let processors = std::thread::available_parallelism()?;
    let (endpoints, tenants, rounds) = (cli.endpoints, cli.tenants, cli.rounds);
    writeln!(
        out,
        "{endpoints} endpoints on each host, {tenants} tenants, {rounds} changes of each kind, \
         {processors} processors, load {load} at the end.\n\n\
         | hosts | endpoints | change | median | 99 % | last | bar | | processor | bytes written |\n\
         | --: | --: | --- | --: | --: | --: | --: | --- | --: | --: |"
    )?;
    let names = ["rule to all", "endpoint to its tenant"];
    for readings in all {
        for ((change, name), bar) in readings.changes.iter().zip(names).zip(BARS) {
            let met = match change.most <= bar {
                true => "met",
                false => "**not met**",
            };
            let Change {
                median,
                most,
                last,
                processor,
                written,
            } = change;
            writeln!(
                out,
                "| {} | {} | {name} | {median:.1?} | {most:.1?} | {last:.1?} | {bar:?} | {met} | \
                 {processor:.1?} | {written} |",
                readings.hosts, readings.endpoints,
            )?;
        }
    }
    out.push_str(
        "\n| hosts | empty, KiB | bytes an endpoint | bytes a host | idle, % of a processor |\n\
         | --: | --: | --: | --: | --: |\n",
    );
    for readings in all {
        let [empty, endpoint, host] = readings.memory;
        writeln!(
            out,
            "| {} | {} | {endpoint} | {host} | {:.1} |",
            readings.hosts,
            empty >> 10,
            100.0 * readings.idle,
        )?;
    }
    Ok(out)
}
