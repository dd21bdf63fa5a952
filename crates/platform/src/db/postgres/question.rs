//! One question to a server, put by one statement for everybody who wants its answer at the same moment.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// How many may wait for an answer; more wait for their turn to ask.
const BACKLOG: usize = 4096;

/// Whoever holds it may ask.
#[derive(Debug)]
pub(super) struct Question<A> {
    sender: mpsc::Sender<oneshot::Sender<A>>,
}

/// Those who ask, for whoever can answer them.
#[derive(Debug)]
pub(super) struct Askers<A> {
    receiver: mpsc::Receiver<oneshot::Sender<A>>,
    waiting: Vec<oneshot::Sender<A>>,
}

/// The two ends of a question.
pub(super) fn question<A>() -> (Question<A>, Askers<A>) {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    (Question { sender }, Askers { receiver, waiting: Vec::new() })
}

impl<A> Question<A> {
    /// The answer to a statement that is sent after this call; nothing when there is none in time.
    pub(super) async fn ask(&self, at_most: Duration) -> Option<A> {
        let (sender, receiver) = oneshot::channel();
        let answer = async {
            self.sender.send(sender).await.ok()?;
            receiver.await.ok()
        };
        tokio::time::timeout(at_most, answer).await.ok().flatten()
    }
}

impl<A: Clone> Askers<A> {
    /// Waits until somebody asks. Nothing is lost when the wait is given up.
    pub(super) async fn wait(&mut self) {
        match self.receiver.recv().await {
            Some(asker) => self.waiting.push(asker),
            None => std::future::pending().await,
        }
    }

    /// Takes up everybody who asked until now: the statement that is sent next answers them.
    pub(super) fn gather(&mut self) {
        while self.waiting.len() < BACKLOG
            && let Ok(asker) = self.receiver.try_recv()
        {
            self.waiting.push(asker);
        }
    }

    /// Answers those who were taken up.
    pub(super) fn answer(&mut self, answer: &A) {
        for asker in self.waiting.drain(..) {
            // Who gave up waiting needs no answer.
            drop(asker.send(answer.clone()));
        }
    }

    /// Tells those who asked until now that there is no answer.
    pub(super) fn refuse(&mut self) {
        self.gather();
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_who_ask_at_once_are_answered_by_one_statement() {
        let (question, mut askers) = question::<u32>();
        let answering = async {
            let mut statements = 0;
            let mut answered = 0;
            while answered < 100 {
                askers.wait().await;
                askers.gather();
                statements += 1;
                answered += askers.waiting.len();
                askers.answer(&statements);
            }
            statements
        };
        let asking = futures::future::join_all((0..100).map(|_| question.ask(Duration::from_secs(10))));
        let (statements, answers) = tokio::join!(answering, asking);
        assert!(answers.iter().all(Option::is_some));
        assert!(statements < 10, "{statements}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_gets_no_answer_is_told_so_in_time() {
        let (question, mut askers) = question::<u32>();
        assert_eq!(question.ask(Duration::from_millis(100)).await, None);
        let (answer, ()) = tokio::join!(question.ask(Duration::from_secs(10)), async {
            askers.wait().await;
            askers.refuse();
        });
        assert_eq!(answer, None);
    }
}
