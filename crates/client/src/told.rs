//! What hosts have told masters: what rules have decided, and what happens to packets.

use std::time::Duration;

use bytes::Bytes;
use contiv_model::agent::{EventKind, FabricEvent};
use contiv_model::encode_segment;
use contiv_model::inspect::HitsDocument;
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::error::{Error, root_cause};
use crate::stream::Lines;
use crate::transport::Client;

/// An event is far from it.
const MAX_LINE: usize = 1 << 20;

/// Which events are asked for; whatever is absent is any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub tenant: Option<String>,
    pub kind: Option<EventKind>,
    pub host: Option<String>,
    /// Part of an endpoint's id, or a container's name.
    pub endpoint: Option<String>,
    /// Not before, in milliseconds since 1970.
    pub since: Option<u64>,
}

/// Events as they come; it ends with an error.
#[derive(Debug)]
pub struct EventStream {
    master: String,
    body: Incoming,
    lines: Lines,
    idle: Duration,
}

impl EventFilter {
    fn query(&self, limit: Option<usize>) -> String {
        let parts = [
            ("tenant", self.tenant.clone()),
            ("kind", self.kind.map(|kind| kind.name().to_owned())),
            ("host", self.host.clone()),
            ("endpoint", self.endpoint.clone()),
            ("since", self.since.map(|since| since.to_string())),
            ("limit", limit.map(|limit| limit.to_string())),
        ];
        query(&parts)
    }
}

impl Client {
    /// What rules have decided: of one tenant or of all, of one policy or of all.
    pub async fn hits(
        &self,
        tenant: Option<&str>,
        policy: Option<&str>,
    ) -> Result<HitsDocument, Error> {
        let parts = [("tenant", tenant), ("policy", policy)];
        let parts = parts.map(|(name, value)| (name, value.map(str::to_owned)));
        self.get_json(&format!("/api/v1/hits/{}", query(&parts)))
            .await
    }

    /// The newest events that the master remembers, the oldest of them first.
    pub async fn events(
        &self,
        filter: &EventFilter,
        limit: Option<usize>,
    ) -> Result<Vec<FabricEvent>, Error> {
        self.get_json(&format!("/api/v1/events/{}", filter.query(limit)))
            .await
    }

    /// Events from now on; with a `since` in the filter, remembered ones before them.
    pub async fn follow_events(&self, filter: &EventFilter) -> Result<EventStream, Error> {
        let path = format!("/api/v1/events/watch/{}", filter.query(None));
        let answer = self.call(Method::GET, &path, Bytes::new()).await?;
        let answer = answer.success().await?;
        Ok(EventStream {
            master: answer.master,
            body: answer.response.into_body(),
            lines: Lines::new(MAX_LINE),
            idle: self.timeouts().stream_idle,
        })
    }
}

impl EventStream {
    /// The next event. Cancelling the wait loses none.
    pub async fn next(&mut self) -> Result<FabricEvent, Error> {
        self.read().await.map_err(|reason| Error::StreamEnded {
            master: self.master.clone(),
            reason,
        })
    }

    async fn read(&mut self) -> Result<FabricEvent, String> {
        loop {
            while let Some(line) = self.lines.next()? {
                if let Some(event) = event(&line)? {
                    return Ok(event);
                }
            }
            let silent = |_| format!("silent for {:.1} s", self.idle.as_secs_f64());
            match timeout(self.idle, self.body.frame())
                .await
                .map_err(silent)?
            {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.lines.push(&data);
                    }
                }
                Some(Err(error)) => return Err(root_cause(&error)),
                None => return Err("the master closed it".into()),
            }
        }
    }
}

/// The event in a line; none in names, ids, signs of life, and the data of a reset.
fn event(line: &[u8]) -> Result<Option<FabricEvent>, String> {
    match line.trim_ascii().strip_prefix(b"data:") {
        None => Ok(None),
        Some(data) if data.trim_ascii() == b"{}" => Ok(None),
        Some(data) => serde_json::from_slice(data)
            .map(Some)
            .map_err(|error| format!("an event cannot be read: {error}")),
    }
}

fn query(parts: &[(&str, Option<String>)]) -> String {
    let mut text = String::new();
    for (name, value) in parts {
        if let Some(value) = value {
            let mark = if text.is_empty() { '?' } else { '&' };
            text.push_str(&format!("{mark}{name}={}", encode_segment(value)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_becomes_a_query() {
        let mut filter = EventFilter::default();
        assert_eq!(filter.query(None), "");
        filter.tenant = Some("a&b".into());
        filter.kind = Some(EventKind::Log);
        assert_eq!(filter.query(Some(3)), "?tenant=a%26b&kind=log&limit=3");
    }

    #[test]
    fn of_the_lines_only_data_counts() {
        for line in [&b": alive\n"[..], b"event: event\r\n", b"id: 1.2\n", b"\n"] {
            assert_eq!(event(line), Ok(None));
        }
        assert_eq!(event(b"data: {}\n"), Ok(None));
        let told = event(b"data: {\"host\": \"h\"}\n").unwrap().unwrap();
        assert_eq!(told.host, "h");
        assert!(event(b"data: [\n").is_err());
    }
}
