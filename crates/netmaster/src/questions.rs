//! Questions to hosts, and the answers that are awaited.
//!
//! Hosts take no connections: each keeps a stream of questions open to every master, and answers
//! by a call. A question that no stream takes, or that is not answered, ends with its deadline.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contiv_model::agent::{Answer, Asked, Question};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// How long a host may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// What was asked of which host.
#[derive(Debug)]
pub struct Questions {
    known: Mutex<Known>,
    /// Wakes who waits for a stream.
    streams: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Known {
    last_stream: u64,
    /// By host and stream: the latest one is the one that works.
    streams: BTreeMap<(String, u64), mpsc::UnboundedSender<Asked>>,
    waiting: BTreeMap<String, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    host: String,
    answer: oneshot::Sender<Answer>,
}

/// One stream of questions to a host, open until this is dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    questions: Arc<Questions>,
    key: (String, u64),
    asked: mpsc::UnboundedReceiver<Asked>,
}

impl Default for Questions {
    fn default() -> Self {
        Questions {
            known: Mutex::default(),
            streams: watch::Sender::new(0),
        }
    }
}

impl Questions {
    /// A stream of questions to the host begins.
    pub(crate) fn listen(self: &Arc<Self>, host: &str) -> Listening {
        let (sender, asked) = mpsc::unbounded_channel();
        let mut known = self.known();
        known.last_stream += 1;
        let key = (host.to_owned(), known.last_stream);
        known.streams.insert(key.clone(), sender);
        drop(known);
        self.streams.send_modify(|n| *n += 1);
        Listening {
            questions: Arc::clone(self),
            key,
            asked,
        }
    }

    /// Asks a host; the error says why there is no answer.
    pub(crate) async fn ask(
        &self,
        host: &str,
        question: Question,
        until: Instant,
    ) -> Result<Answer, String> {
        let (id, answered) = self.put(host, question, until).await?;
        let answer = timeout_at(until, answered).await;
        self.known().waiting.remove(&id);
        match answer {
            Ok(Ok(Answer::Failed { reason })) => Err(reason),
            Ok(Ok(Answer::Unknown)) => {
                Err("its answer is of a later version; upgrade netmaster".to_owned())
            }
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err("it did not answer in time".to_owned()),
        }
    }

    /// Hands a question to a stream, waiting for one if there is none.
    async fn put(
        &self,
        host: &str,
        question: Question,
        until: Instant,
    ) -> Result<(String, oneshot::Receiver<Answer>), String> {
        let mut streams = self.streams.subscribe();
        loop {
            streams.borrow_and_update();
            {
                let mut known = self.known();
                if let Some(stream) = known.stream(host) {
                    let id = Uuid::new_v4().to_string();
                    let (answer, answered) = oneshot::channel();
                    let asked = Asked {
                        id: id.clone(),
                        question: question.clone(),
                    };
                    if stream.send(asked).is_ok() {
                        let host = host.to_owned();
                        known.waiting.insert(id.clone(), Waiting { host, answer });
                        return Ok((id, answered));
                    }
                }
            }
            if timeout_at(until, streams.changed()).await.is_err() {
                return Err("it does not listen to questions of this master".to_owned());
            }
        }
    }

    /// Takes a host's answer; false when nobody waits for it.
    pub(crate) fn answer(&self, host: &str, id: &str, answer: Answer) -> bool {
        let mut known = self.known();
        if known
            .waiting
            .get(id)
            .is_none_or(|waiting| waiting.host != host)
        {
            return false;
        }
        let waiting = known.waiting.remove(id);
        waiting.is_some_and(|waiting| waiting.answer.send(answer).is_ok())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn stream(&self, host: &str) -> Option<mpsc::UnboundedSender<Asked>> {
        let of_host = (host.to_owned(), 0)..=(host.to_owned(), u64::MAX);
        let latest = self.streams.range(of_host).next_back();
        latest.map(|(_, stream)| stream.clone())
    }
}

impl Listening {
    /// The next question; none when there will be no more.
    pub(crate) async fn next(&mut self) -> Option<Asked> {
        self.asked.recv().await
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.questions.known().streams.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(200)
    }

    #[tokio::test]
    async fn a_question_is_answered_by_the_host_that_was_asked() {
        let questions = Arc::new(Questions::default());
        let mut listening = questions.listen("a");
        let asking = {
            let questions = Arc::clone(&questions);
            tokio::spawn(async move { questions.ask("a", Question::Unknown, soon()).await })
        };
        let asked = listening.next().await.unwrap();
        let failed = |reason: &str| Answer::Failed {
            reason: reason.to_owned(),
        };
        assert!(!questions.answer("b", &asked.id, failed("forged")));
        assert!(questions.answer("a", &asked.id, failed("no idea")));
        assert!(!questions.answer("a", &asked.id, failed("again")));
        assert_eq!(asking.await.unwrap(), Err("no idea".to_owned()));
    }

    #[tokio::test]
    async fn silence_ends_with_the_deadline_and_leaves_nothing() {
        let questions = Arc::new(Questions::default());
        let none = questions.ask("a", Question::Unknown, soon()).await;
        assert!(none.unwrap_err().contains("does not listen"));
        let listening = questions.listen("a");
        let late = questions.ask("a", Question::Unknown, soon()).await;
        assert!(late.unwrap_err().contains("in time"));
        drop(listening);
        let known = questions.known();
        assert!(known.waiting.is_empty() && known.streams.is_empty());
    }
}
