//! Questions, answered within a limit or not at all.
//!
//! A thread of its own makes their vectors, one after the other. One question may wait while another is worked on; more are turned away
//! at once, since they would not be answered in time. What comes late is remembered: somebody who types asks the same again, and so do others.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Vector;

/// Answers that are remembered: about half a megabyte.
const REMEMBERED: usize = 256;

/// What makes a vector of a question.
pub type Answerer = Box<dyn FnMut(&str) -> Option<Vector> + Send>;

/// A handle to the thread, which ends with the last one.
#[derive(Debug)]
pub struct Questions(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// None: there is none.
#[derive(Clone, Debug)]
struct Answer(Option<Vector>);

#[derive(Debug, Default)]
struct State {
    waiting: Option<String>,
    working: Option<String>,
    /// The newest first.
    answered: VecDeque<(String, Answer)>,
    is_over: bool,
}

impl Questions {
    pub fn start(answerer: Answerer) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        std::thread::Builder::new().name("meaning-questions".into()).spawn(move || own.work(answerer))?;
        Ok(Self(shared))
    }

    pub fn ask(&self, text: &str, within: Duration) -> Option<Vector> {
        let until = Instant::now() + within;
        let mut state = self.0.lock();
        loop {
            if let Some(Answer(answer)) = state.remembered(text) {
                return answer;
            }
            if !state.is_under_way(text) {
                if state.waiting.is_some() {
                    return None;
                }
                state.waiting = Some(text.to_owned());
                self.0.changed.notify_all();
            }
            let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Questions {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, mut answerer: Answerer) {
        let mut state = self.lock();
        while !state.is_over {
            let Some(text) = state.waiting.take() else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.working = Some(text.clone());
            drop(state);
            // One that panics goes unanswered, and the next one is worked on.
            let answer = catch_unwind(AssertUnwindSafe(|| answerer(&text))).unwrap_or_default();
            state = self.lock();
            state.working = None;
            state.remember(text, answer);
            self.changed.notify_all();
        }
    }
}

impl State {
    fn is_under_way(&self, text: &str) -> bool {
        [&self.waiting, &self.working].into_iter().flatten().any(|known| known == text)
    }

    fn remembered(&mut self, text: &str) -> Option<Answer> {
        let at = self.answered.iter().position(|(known, _)| known == text)?;
        let found = self.answered.remove(at)?;
        let answer = found.1.clone();
        // What could not be answered is asked anew the next time.
        if answer.0.is_some() {
            self.answered.push_front(found);
        }
        Some(answer)
    }

    fn remember(&mut self, text: String, answer: Option<Vector>) {
        self.answered.truncate(REMEMBERED - 1);
        self.answered.push_front((text, Answer(answer)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn vector(number: f32) -> Vector {
        Vector(Box::new([number]))
    }

    #[test]
    fn an_answer_is_made_once() {
        let mut asked = 0u8;
        let questions = Questions::start(Box::new(move |_| {
            asked += 1;
            Some(vector(f32::from(asked)))
        }))
        .unwrap();
        assert_eq!(questions.ask("a", LONG), Some(vector(1.0)));
        assert_eq!(questions.ask("b", LONG), Some(vector(2.0)));
        assert_eq!(questions.ask("a", Duration::ZERO), Some(vector(1.0)));
    }

    #[test]
    fn late_answers_are_remembered_and_only_one_waits() {
        let (go, wait) = mpsc::channel::<()>();
        let (began, begins) = mpsc::channel();
        let questions = Questions::start(Box::new(move |text| {
            began.send(text.to_owned()).unwrap();
            wait.recv().unwrap();
            Some(vector(7.0))
        }))
        .unwrap();
        assert_eq!(questions.ask("slow", Duration::ZERO), None);
        assert_eq!(begins.recv().unwrap(), "slow");
        assert_eq!(questions.ask("next", Duration::ZERO), None);
        assert_eq!(questions.ask("too many", LONG), None, "turned away at once, however long it would wait");
        go.send(()).unwrap();
        assert_eq!(questions.ask("slow", LONG), Some(vector(7.0)));
        go.send(()).unwrap();
        assert_eq!(questions.ask("next", LONG), Some(vector(7.0)));
        assert_eq!(begins.try_iter().collect::<Vec<_>>(), ["next"]);
    }

    #[test]
    fn a_failure_is_not_remembered() {
        let mut asked = 0u8;
        let questions = Questions::start(Box::new(move |_| {
            asked += 1;
            assert!(asked != 2, "on purpose");
            (asked > 2).then(|| vector(1.0))
        }))
        .unwrap();
        assert_eq!(questions.ask("a", LONG), None);
        assert_eq!(questions.ask("a", LONG), None);
        assert_eq!(questions.ask("a", LONG), Some(vector(1.0)));
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut state = State::default();
        for number in 0..=REMEMBERED {
            state.remember(number.to_string(), Some(vector(0.0)));
        }
        assert_eq!(state.answered.len(), REMEMBERED);
        assert!(state.remembered("0").is_none());
        assert!(state.remembered("1").is_some_and(|answer| answer.0.is_some()));
        assert_eq!(state.answered.front().map(|(text, _)| text.as_str()), Some("1"));
    }
}
