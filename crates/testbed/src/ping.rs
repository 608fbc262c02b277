//! Echo requests, sent by busybox so that they are what a user would send.

use std::net::IpAddr;

use anyhow::{Context, Result, bail};

use crate::Netns;

/// How a series of echo requests ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pings {
    /// Requests sent.
    pub sent: u32,
    /// Answers received, duplicates not counted.
    pub received: u32,
}

impl Pings {
    /// Whether every request was answered.
    pub fn all(&self) -> bool {
        self.sent > 0 && self.received == self.sent
    }
}

impl Netns {
    /// Sends `count` echo requests, a fifth of a second apart, each awaited for a second.
    pub fn ping(&self, target: IpAddr, count: u32) -> Result<Pings> {
        self.ping_with(target, count, &[])
    }

    /// As [`Netns::ping`], with further options of busybox's `ping` (such as `-s 2000`).
    pub fn ping_with(&self, target: IpAddr, count: u32, options: &[&str]) -> Result<Pings> {
        let family = if target.is_ipv6() { "-6" } else { "-4" };
        let output = self
            .command("busybox")
            .args([
                "ping",
                family,
                "-q",
                "-i",
                "0.2",
                "-W",
                "1",
                "-c",
                &count.to_string(),
            ])
            .args(options)
            .arg(target.to_string())
            .output()
            .context("run busybox ping")?;
        parse(&String::from_utf8_lossy(&output.stdout)).or_else(|_| {
            let stderr = String::from_utf8_lossy(&output.stderr);
            // No route means that the request was never sent.
            if stderr.contains("unreachable") {
                return Ok(Pings {
                    sent: count,
                    received: 0,
                });
            }
            bail!("ping {target}: {}", stderr.trim())
        })
    }
}

fn parse(text: &str) -> Result<Pings> {
    let line = text
        .lines()
        .find(|line| line.contains("packets transmitted"));
    let mut numbers = line
        .context("no summary line")?
        .split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|word| word.parse().ok());
    let (sent, received) = (numbers.next(), numbers.next());
    Ok(Pings {
        sent: sent.context("sent")?,
        received: received.context("received")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_summary() {
        let text = "\n--- 10.0.0.1 ping statistics ---\n\
                    4 packets transmitted, 3 packets received, 25% packet loss\n";
        assert_eq!(
            parse(text).unwrap(),
            Pings {
                sent: 4,
                received: 3
            }
        );
        assert!(parse("ping: sendto: Network unreachable").is_err());
    }
}
