//! What is measured, who takes part, and which bar ours has to meet.

use crate::load::Load;

/// One way of connecting two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Contender {
    Veth,
    Bridge,
    DockerBridge,
    DockerNetwork,
    Contiv,
    /// The same with ten times the rules.
    ContivThousand,
}

impl Contender {
    /// The name in reports.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Contender::Veth => "direct veth pair",
            Contender::Bridge => "Linux bridge",
            Contender::DockerBridge => "Docker's default bridge",
            Contender::DockerNetwork => "user-defined Docker bridge",
            Contender::Contiv => "Contiv, 100 rules",
            Contender::ContivThousand => "Contiv, 1,000 rules",
        }
    }
}

/// One comparison. Costs of single packets in the programs themselves would be a suite more: a
/// figure of each contender in each round is all that a suite is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Suite {
    Traffic(Load),
    Start,
}

/// What a ratio or a figure is held to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
    /// All of the interval must reach it.
    Within(f64),
}

impl Suite {
    /// Every suite, in the order of the report.
    pub(crate) const ALL: [Suite; 5] = [
        Suite::Traffic(Load::Stream),
        Suite::Traffic(Load::RoundTrip),
        Suite::Traffic(Load::Connect),
        Suite::Traffic(Load::Datagram),
        Suite::Start,
    ];

    /// The heading in the report.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Suite::Traffic(load) => load.title(),
            Suite::Start => "Container start to first packet",
        }
    }

    /// What one figure says.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Suite::Traffic(load) => load.meaning(),
            Suite::Start => {
                "Milliseconds from the engine API's `create` to the first connection that the \
                 container opens to a neighbour; a round's figure is the median of its starts"
            }
        }
    }

    /// The unit of its figures.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Suite::Traffic(load) => load.unit(),
            Suite::Start => "ms",
        }
    }

    /// Who takes part, the one that the others are compared with first.
    pub(crate) fn contenders(self) -> &'static [Contender] {
        use Contender::{Bridge, Contiv, ContivThousand, DockerBridge, DockerNetwork, Veth};
        match self {
            Suite::Traffic(_) => &[Veth, Bridge, DockerBridge, Contiv, ContivThousand],
            Suite::Start => &[DockerNetwork, Contiv],
        }
    }

    /// The bar for the ratio of ours to the first contender.
    pub(crate) fn bar(self) -> Bar {
        match self {
            Suite::Traffic(Load::Stream) => Bar::AtLeast(0.95),
            Suite::Traffic(Load::RoundTrip) => Bar::AtMost(1.08),
            Suite::Traffic(Load::Connect | Load::Datagram) => Bar::AtLeast(0.85),
            Suite::Start => Bar::AtMost(1.0),
        }
    }
}

impl Suite {
    /// The bar for the ratio of ours to Docker's default bridge, where there is one.
    pub(crate) fn bar_to_docker(self) -> Option<Bar> {
        match self {
            Suite::Traffic(Load::Connect) => Some(Bar::AtLeast(1.15)),
            Suite::Traffic(Load::Datagram) => Some(Bar::AtLeast(1.5)),
            _ => None,
        }
    }
}

impl Bar {
    /// Whether an interval reaches the bar: it includes it, or lies on its good side.
    pub(crate) fn met(self, low: f64, high: f64) -> bool {
        match self {
            Bar::AtLeast(bar) => high >= bar,
            Bar::AtMost(bar) => low <= bar,
            Bar::Within(bar) => high <= bar,
        }
    }
}

impl std::fmt::Display for Bar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bar::AtLeast(bar) => write!(f, "≥ {bar}"),
            Bar::AtMost(bar) => write!(f, "≤ {bar}"),
            Bar::Within(bar) => write!(f, "≤ {bar}, upper end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_meets_a_bar_that_it_includes_or_surpasses() {
        let floor = Bar::AtLeast(0.95);
        assert!(floor.met(0.90, 0.95) && floor.met(0.97, 0.99));
        assert!(!floor.met(0.90, 0.949));
        let ceiling = Bar::AtMost(1.08);
        assert!(ceiling.met(1.08, 1.2) && ceiling.met(0.9, 1.0));
        assert!(!ceiling.met(1.081, 1.2));
        let flat = Bar::Within(1.03);
        assert!(flat.met(0.9, 1.03) && !flat.met(1.0, 1.04));
    }

    #[test]
    fn ours_takes_part_in_every_suite_and_is_never_its_own_measure() {
        for suite in Suite::ALL {
            let contenders = suite.contenders();
            assert!(contenders[1..].contains(&Contender::Contiv), "{suite:?}");
            assert_ne!(contenders[0], Contender::Contiv, "{suite:?}");
        }
    }
}
