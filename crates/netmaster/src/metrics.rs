//! What netmaster counts, in the form that Prometheus reads.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use contiv_store::Figures;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Seconds; a commit costs one flush to disk.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Host {
    host: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: String,
}

type Level = Gauge<i64, AtomicI64>;
type Durations = Family<Route, Histogram, fn() -> Histogram>;

/// Every figure of netmaster.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Call, Counter<u64, AtomicU64>>,
    durations: Durations,
    objects: Family<Kind, Level>,
    addresses: Family<State, Level>,
    lag: Family<Host, Level>,
    commits: Level,
    flushes: Level,
    conflicts: Level,
    batch: Level,
    hosts: Level,
    revision: Level,
    writable: Level,
    /// Decisions that had to be made again, since another was committed first.
    pub again: Counter<u64, AtomicU64>,
}

/// What a scrape finds, besides what was counted along the way.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    pub(crate) store: Figures,
    pub(crate) writable: bool,
    pub(crate) revision: u64,
    pub(crate) objects: Vec<(&'static str, usize)>,
    pub(crate) addresses: Vec<(&'static str, usize)>,
    /// Per live host, how many commits it has not applied yet.
    pub(crate) lag: Vec<(String, u64)>,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let metrics = Metrics {
            registry: Mutex::new(Registry::with_prefix("contiv_netmaster")),
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            objects: Family::default(),
            addresses: Family::default(),
            lag: Family::default(),
            commits: Gauge::default(),
            flushes: Gauge::default(),
            conflicts: Gauge::default(),
            batch: Gauge::default(),
            hosts: Gauge::default(),
            revision: Gauge::default(),
            writable: Gauge::default(),
            again: Counter::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register(
            "requests",
            "Requests by route and status",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "request",
            "Time until the answer began",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register(
            "decisions_again",
            "Decisions that were made again, since another was committed first",
            self.again.clone(),
        );
        registry.register("objects", "Stored objects, by kind", self.objects.clone());
        registry.register(
            "addresses",
            "Addresses in use, by state",
            self.addresses.clone(),
        );
        registry.register(
            "stream_lag",
            "Commits that a live host has not applied yet",
            self.lag.clone(),
        );
        for (name, help, gauge) in [
            ("store_commits", "Transactions made durable", &self.commits),
            ("store_flushes", "Flushes to the disk", &self.flushes),
            (
                "store_conflicts",
                "Transactions that came too late",
                &self.conflicts,
            ),
            (
                "store_largest_batch",
                "Most transactions that one flush made durable",
                &self.batch,
            ),
            (
                "store_writable",
                "Whether the last commit found room",
                &self.writable,
            ),
            ("hosts_live", "Hosts whose stream is open", &self.hosts),
            ("revision", "Number of the last commit", &self.revision),
        ] {
            registry.register(name, help, gauge.clone());
        }
    }

    /// Counts one answered request.
    pub(crate) fn observe_request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let label = Route {
            route: route.to_owned(),
        };
        self.durations
            .get_or_create(&label)
            .observe(took.as_secs_f64());
        let label = Call {
            method: method.to_owned(),
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&label).inc();
    }

    /// The text that a scrape is answered with.
    pub(crate) fn render(&self, scrape: &Scrape) -> String {
        self.commits.set(level(scrape.store.commits));
        self.flushes.set(level(scrape.store.flushes));
        self.conflicts.set(level(scrape.store.conflicts));
        self.batch.set(level(scrape.store.largest_batch));
        self.hosts.set(level(scrape.lag.len() as u64));
        self.revision.set(level(scrape.revision));
        self.writable.set(i64::from(scrape.writable));
        for (kind, count) in &scrape.objects {
            let kind = (*kind).to_owned();
            self.objects
                .get_or_create(&Kind { kind })
                .set(level(*count as u64));
        }
        for (state, count) in &scrape.addresses {
            let state = (*state).to_owned();
            self.addresses
                .get_or_create(&State { state })
                .set(level(*count as u64));
        }
        self.lag.clear();
        for (host, lag) in &scrape.lag {
            let host = host.clone();
            self.lag.get_or_create(&Host { host }).set(level(*lag));
        }
        let mut out = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string cannot fail.
        let _ = text::encode(&mut out, &registry);
        out
    }
}

fn level(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
