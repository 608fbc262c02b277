//! What the agent counts, in the form that Prometheus reads.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Seconds; the engine gives a call 5 s, and a whole start should cost 10 ms.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    call: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Drop {
    endpoint: String,
    reason: String,
}

type Durations = Family<Call, Histogram, fn() -> Histogram>;

/// Every figure of the agent.
pub struct Metrics {
    registry: Mutex<Registry>,
    calls: Durations,
    refused: Family<Call, Counter<u64, AtomicU64>>,
    drops: Family<Drop, Gauge<i64, AtomicI64>>,
    /// Number of the revision that the kernel holds.
    pub applied: Gauge<i64, AtomicI64>,
    /// 1 while a master tells of changes.
    pub stream: Gauge<i64, AtomicI64>,
    /// 1 while the engine answers.
    pub engine: Gauge<i64, AtomicI64>,
    pub endpoints: Gauge<i64, AtomicI64>,
    pub apply: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let mut registry = Registry::with_prefix("contiv_netplugin");
        let metrics = Metrics {
            registry: Mutex::default(),
            calls: Family::new_with_constructor(histogram),
            refused: Family::default(),
            drops: Family::default(),
            applied: Gauge::default(),
            stream: Gauge::default(),
            engine: Gauge::default(),
            endpoints: Gauge::default(),
            apply: histogram(),
        };
        registry.register_with_unit(
            "call",
            "Time that a call of the engine took",
            Unit::Seconds,
            metrics.calls.clone(),
        );
        registry.register(
            "calls_refused",
            "Calls answered by an error",
            metrics.refused.clone(),
        );
        registry.register(
            "dropped_packets",
            "Packets of an endpoint that were dropped, by reason, since it exists",
            metrics.drops.clone(),
        );
        registry.register(
            "applied_revision",
            "The revision that the kernel holds",
            metrics.applied.clone(),
        );
        registry.register(
            "stream_connected",
            "Whether a master tells of changes",
            metrics.stream.clone(),
        );
        registry.register(
            "engine_connected",
            "Whether the Docker engine answers",
            metrics.engine.clone(),
        );
        registry.register(
            "endpoints",
            "Endpoints of this host",
            metrics.endpoints.clone(),
        );
        registry.register_with_unit(
            "apply",
            "Time to bring the kernel to what it should hold",
            Unit::Seconds,
            metrics.apply.clone(),
        );
        *metrics
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = registry;
        metrics
    }
}

impl Metrics {
    /// Counts one call of the engine.
    pub fn observe_call(&self, call: &str, took: Duration, fine: bool) {
        let label = Call {
            call: call.to_owned(),
        };
        self.calls.get_or_create(&label).observe(took.as_secs_f64());
        if !fine {
            self.refused.get_or_create(&label).inc();
        }
    }

    /// Replaces the drops of all endpoints: each of endpoint, reason, packets.
    pub fn set_drops<'a>(&self, drops: impl Iterator<Item = (&'a str, &'a str, u64)>) {
        self.drops.clear();
        for (endpoint, reason, packets) in drops {
            let label = Drop {
                endpoint: endpoint.to_owned(),
                reason: reason.to_owned(),
            };
            self.drops
                .get_or_create(&label)
                .set(i64::try_from(packets).unwrap_or(i64::MAX));
        }
    }

    /// The text that a scrape is answered with.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string cannot fail.
        let _ = text::encode(&mut out, &registry);
        out
    }
}
