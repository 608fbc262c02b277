//! Answers what one master asks.
//!
//! Each master has a listener of its own, since any of them may be the one that is asked by
//! people. Questions are answered one after the other, from the kernel's tables as they are; an
//! examination of the host takes seconds, and others are answered meanwhile.

mod opening;

use std::sync::Arc;

use contiv_client::{Error as ClientError, HostClient};
use contiv_model::agent::{Answer, Asked, DoctorQuestion, Question};
use futures_util::StreamExt;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::data_plane::SharedPlane;
use crate::doctor::Doctor;
use crate::replica::Replica;
use crate::upstream::RETRY;
pub(crate) use opening::{answer_of, beginning};

/// Listens to the questions of one master, which is the only one that `host` speaks to.
pub struct Respondent {
    pub host: HostClient,
    pub replica: Arc<Replica>,
    pub plane: SharedPlane,
    pub doctor: Doctor,
}

impl Respondent {
    /// Answers until the agent ends.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = RETRY.0;
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.listen() => ended,
            };
            match ended {
                // It was there a moment ago.
                Ok(()) => pause = RETRY.0,
                Err(error) => tracing::debug!(%error, "a master asks no questions"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(pause) => pause = (pause * 2).min(RETRY.1),
            }
        }
    }

    async fn listen(&self) -> Result<(), ClientError> {
        let mut questions = self.host.questions().await?;
        while let Some(asked) = questions.next().await {
            let Ok(Asked { id, question }) = asked else {
                break;
            };
            if let Question::Doctor(question) = question {
                tokio::spawn(examine(
                    self.doctor.clone(),
                    self.host.clone(),
                    id,
                    question,
                ));
                continue;
            }
            let answer = self.answer(question).await;
            if let Err(error) = self.host.answer(&id, &answer).await {
                tracing::debug!(%error, id, "an answer is lost");
            }
        }
        Ok(())
    }

    async fn answer(&self, question: Question) -> Answer {
        let failed = |reason: String| Answer::Failed { reason };
        match question {
            Question::Opening(question) => {
                // In this order: what the tables hold is then of this revision or a later one.
                let applied = self.replica.applied();
                let asked = self.plane.with(move |plane| plane.ask(&question)).await;
                match asked {
                    Ok(mut answer) => {
                        answer.applied = applied;
                        Answer::Opening(answer)
                    }
                    Err(error) => failed(error.to_string()),
                }
            }
            Question::Doctor(_) | Question::Unknown => {
                let version = env!("CARGO_PKG_VERSION");
                failed(format!(
                    "netplugin {version} does not know such questions; upgrade it"
                ))
            }
        }
    }
}

/// Examines the host and says what was found.
async fn examine(doctor: Doctor, host: HostClient, id: String, question: DoctorQuestion) {
    let answer = match doctor.examine(question).await {
        Ok(answer) => Answer::Doctor(answer),
        Err(error) => Answer::Failed {
            reason: error.to_string(),
        },
    };
    if let Err(error) = host.answer(&id, &answer).await {
        tracing::debug!(%error, id, "an answer is lost");
    }
}
