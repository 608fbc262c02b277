//! What the agent counts, in the form that Prometheus reads.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use contiv_datapath::FlowUse;
use contiv_model::agent::{EventKind, Totals};
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

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Verdict {
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTenant {
    tenant: String,
}

type Sums<Label> = Family<Label, Counter<u64, AtomicU64>>;
type Durations = Family<Call, Histogram, fn() -> Histogram>;

/// Every figure of the agent.
pub struct Metrics {
    registry: Mutex<Registry>,
    calls: Durations,
    refused: Family<Call, Counter<u64, AtomicU64>>,
    drops: Family<Drop, Gauge<i64, AtomicI64>>,
    /// What rules have decided, added up by their actions.
    rule_packets: Sums<Verdict>,
    rule_bytes: Sums<Verdict>,
    rule_connections: Sums<Verdict>,
    staged_packets: Sums<Verdict>,
    staged_connections: Sums<Verdict>,
    events: Sums<Kind>,
    suppressed: Sums<Kind>,
    flow_rows: Gauge<i64, AtomicI64>,
    flow_share: Gauge<i64, AtomicI64>,
    flows: Family<OfTenant, Gauge<i64, AtomicI64>>,
    crowded: Family<OfTenant, Gauge<i64, AtomicI64>>,
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
            rule_packets: Family::default(),
            rule_bytes: Family::default(),
            rule_connections: Family::default(),
            staged_packets: Family::default(),
            staged_connections: Family::default(),
            events: Family::default(),
            suppressed: Family::default(),
            flow_rows: Gauge::default(),
            flow_share: Gauge::default(),
            flows: Family::default(),
            crowded: Family::default(),
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
        metrics.register_decisions(&mut registry);
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

    /// Adds what a rule of this action has decided since its totals were `old`.
    pub(crate) fn add_rule_totals(&self, verdict: &'static str, old: Totals, new: Totals) {
        let label = Verdict { verdict };
        for (sums, old, new) in [
            (&self.rule_packets, old.packets, new.packets),
            (&self.rule_bytes, old.bytes, new.bytes),
            (&self.rule_connections, old.connections, new.connections),
            (&self.staged_packets, old.staged_packets, new.staged_packets),
            (
                &self.staged_connections,
                old.staged_connections,
                new.staged_connections,
            ),
        ] {
            let more = new.saturating_sub(old);
            sums.get_or_create(&label).inc_by(more);
        }
    }

    /// Counts an event that is told, and those before it that were not.
    pub(crate) fn count_event(&self, kind: EventKind, suppressed: u64) {
        let label = Kind { kind: kind.name() };
        self.events.get_or_create(&label).inc();
        self.suppressed.get_or_create(&label).inc_by(suppressed);
    }

    /// Replaces the figures of the table of connections; tenants by name.
    pub(crate) fn set_flow_use(&self, flows: &FlowUse, name: impl Fn(u32) -> String) {
        self.flow_rows.set(flows.rows.into());
        self.flow_share.set(flows.share.into());
        self.flows.clear();
        self.crowded.clear();
        let label = |number: &u32| OfTenant {
            tenant: name(*number),
        };
        for (tenant, rows) in &flows.used {
            self.flows.get_or_create(&label(tenant)).set((*rows).into());
        }
        for (tenant, openings) in &flows.crowded {
            let openings = i64::try_from(*openings).unwrap_or(i64::MAX);
            self.crowded.get_or_create(&label(tenant)).set(openings);
        }
    }

    fn register_decisions(&self, registry: &mut Registry) {
        for (name, help, sums) in [
            (
                "rule_packets",
                "Packets of connections that rules have decided about, by action",
                &self.rule_packets,
            ),
            (
                "rule_bytes",
                "Bytes of these packets, by action",
                &self.rule_bytes,
            ),
            (
                "rule_connections",
                "Connections that rules have decided about, by action",
                &self.rule_connections,
            ),
            (
                "staged_packets",
                "Packets that staged rules would have decided about, by action",
                &self.staged_packets,
            ),
            (
                "staged_connections",
                "Connections that staged rules would have decided about, by action",
                &self.staged_connections,
            ),
        ] {
            registry.register(name, help, sums.clone());
        }
        registry.register(
            "events",
            "Events that were told, by kind",
            self.events.clone(),
        );
        registry.register(
            "events_suppressed",
            "Events that were counted and not told, by kind",
            self.suppressed.clone(),
        );
        registry.register(
            "flow_rows",
            "Rows of the table of connections, used or not",
            self.flow_rows.clone(),
        );
        registry.register(
            "flow_share",
            "Rows of the table of connections that one tenant may have",
            self.flow_share.clone(),
        );
        registry.register(
            "flow_rows_used",
            "Rows of the table of connections in use, by tenant",
            self.flows.clone(),
        );
        registry.register(
            "flow_openings_crowded",
            "Connections that began while the tenant had no row left, since the host was set up",
            self.crowded.clone(),
        );
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
