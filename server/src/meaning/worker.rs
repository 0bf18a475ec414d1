//! The background job that gives cases their vectors.
//!
//! What is to be done stands in the database: triggers mark every case that is new or has changed, and a new model marks all that it has no
//! vector of. A step reads a few marks, makes the vectors of those texts that have none yet, and writes vectors and crossed-out marks in
//! one change; so a step that was cut off is done again, and one that was done changes nothing. Memory follows what is committed.
//!
//! A local model works on a thread of lower priority, so that questions and everything else go first.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use lineman_common::api::CaseBody;
use lineman_common::statement::sha256_hex;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::ask::{Answerer, Questions};
use super::component::Note;
use super::endpoint::{self, Endpoint};
use super::model::{self, Kind, Model};
use super::shelves::{Shelves, Stored};
use super::{Engine, Meaning, Vector, sql};
use crate::config::EmbeddingsEndpoint;
use crate::store::{Store, StoreError, Tx};

/// Without a nudge the job looks for marks, and for a model, this often.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Texts of one step with a local model: what is lost when it is cut off, and about as many seconds at most.
const BATCH: u32 = 8;
/// Rows of one job on the store: it must not hold up others.
const PAGE: u32 = 5_000;
/// After a failure the next attempt waits, longer each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Of the thread that makes vectors of cases; 19 is the lowest priority.
const NICE: i32 = 15;

/// What of a case is found by meaning.
pub type PassageOf = fn(&CaseBody) -> String;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Model(#[from] model::Error),
    #[error(transparent)]
    Endpoint(#[from] endpoint::Error),
    #[error("a thread of the model ended")]
    Ended,
    #[error("a thread of the model did not start: {0}")]
    Thread(#[from] std::io::Error),
}

/// Runs until it is stopped, whether there is a model or not.
pub async fn run(store: Store, meaning: Meaning, passage: PassageOf, stop: CancellationToken) {
    run_every(LOOK_EVERY, store, meaning, passage, stop).await;
}

pub(super) async fn run_every(period: Duration, store: Store, meaning: Meaning, passage: PassageOf, stop: CancellationToken) {
    let mut nudges = store.nudges();
    let mut worker = Worker { store, meaning, passage, engine: None, refused: None, pause: Duration::ZERO };
    let mut look = tokio::time::interval(period);
    let mut why = Why::Time;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = worker.work(why) => {}
        }
        let wait = async {
            tokio::time::sleep(worker.pause).await;
            tokio::select! {
                _ = look.tick() => Some(Why::Time),
                nudge = nudges.recv() => (!matches!(nudge, Err(RecvError::Closed))).then_some(Why::Nudge),
            }
        };
        why = tokio::select! {
            () = stop.cancelled() => return,
            next = wait => match next {
                Some(why) => why,
                None => return,
            },
        };
        // One look answers every nudge so far.
        nudges = nudges.resubscribe();
    }
}

/// What made the worker look.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Time,
    Nudge,
}

struct Worker {
    store: Store,
    meaning: Meaning,
    passage: PassageOf,
    engine: Option<Running>,
    /// A component that can't be used: not tried again until another one is there.
    refused: Option<Note>,
    pause: Duration,
}

/// What the worker holds of a provider at work.
struct Running {
    engine: Arc<Engine>,
    provider: Provider,
}

enum Provider {
    Local { note: Note, passages: mpsc::Sender<Order> },
    Endpoint(Endpoint),
}

/// Texts whose vectors are wanted.
struct Order {
    texts: Vec<String>,
    answer: oneshot::Sender<Result<Vec<Vector>, model::Error>>,
}

impl Worker {
    /// Finds out what is to be used, and does all there is to do.
    async fn work(&mut self, why: Why) {
        match self.all_of_it(why).await {
            Ok(()) => self.pause = Duration::ZERO,
            Err(error) => {
                let asked_for = match &error {
                    Error::Endpoint(endpoint::Error::Refused { again_in, .. }) => again_in.unwrap_or_default(),
                    Error::Store(_) | Error::Model(_) | Error::Endpoint(_) | Error::Ended | Error::Thread(_) => Duration::ZERO,
                };
                self.pause = (self.pause * 2).max(FIRST_PAUSE).max(asked_for).min(LONGEST_PAUSE);
                tracing::warn!(%error, again_in_s = self.pause.as_secs(), "cases could not be given their vectors; search goes by words alone for them");
            }
        }
    }

    async fn all_of_it(&mut self, why: Why) -> Result<(), Error> {
        if why == Why::Time {
            match self.meaning.0.settings.endpoint.clone() {
                Some(settings) => self.use_endpoint(settings).await?,
                None => self.use_component().await?,
            }
        }
        while self.step().await? {}
        Ok(())
    }

    async fn use_endpoint(&mut self, settings: EmbeddingsEndpoint) -> Result<(), Error> {
        if self.engine.is_some() {
            return Ok(());
        }
        let endpoint = Endpoint::open(settings).await?;
        let answerer = by_endpoint(endpoint.clone());
        self.start(endpoint.identity(), endpoint.dimensions(), answerer, Provider::Endpoint(endpoint)).await
    }

    /// Follows what is installed: a component may come, go or be exchanged while the server runs.
    async fn use_component(&mut self) -> Result<(), Error> {
        let folder = self.meaning.0.folder.clone();
        let found = tokio::task::spawn_blocking(move || folder.note()).await.map_err(|_| Error::Ended)?;
        let used = self.engine.as_ref().and_then(|running| match &running.provider {
            Provider::Local { note, .. } => Some(note.clone()),
            Provider::Endpoint(_) => None,
        });
        if found == used || (found.is_some() && found == self.refused) {
            return Ok(());
        }
        if self.engine.take().is_some() {
            self.meaning.set_engine(None);
            tracing::info!("the model was removed: search goes by words alone");
        }
        let Some(note) = found else { return Ok(()) };
        self.refused = None;
        let (folder, of) = (self.meaning.0.folder.clone(), note.clone());
        let model = match tokio::task::spawn_blocking(move || folder.open(&of)).await.map_err(|_| Error::Ended)? {
            Ok(model) => Arc::new(model),
            Err(error) => {
                tracing::error!(%error, "the installed model can't be used: search goes by words alone; install it again");
                self.refused = Some(note);
                return Ok(());
            }
        };
        let (passages, orders) = mpsc::channel(1);
        let (own, answers) = (Arc::clone(&model), Arc::clone(&model));
        std::thread::Builder::new().name("meaning-passages".into()).spawn(move || make(&own, orders))?;
        let answerer: Answerer = Box::new(move |text| answers.embed(Kind::Question, text).map(Vector).ok());
        self.start(note.identity(), model.dimensions(), answerer, Provider::Local { note, passages }).await
    }

    /// Marks what this model has not seen, takes what it has made from the database, and goes on.
    async fn start(&mut self, identity: String, dimensions: usize, answerer: Answerer, provider: Provider) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let model = identity.clone();
            let marked = self.store.write(move |tx| sql::mark_without(tx, &model, after, PAGE)).await?;
            let Some(last) = marked else { break };
            after = last;
        }
        let (mut shelves, mut after) = (Shelves::new(dimensions), 0);
        loop {
            let model = identity.clone();
            let page = self.store.read(move |db| sql::page(db, &model, after, PAGE)).await?;
            let Some((last, ..)) = page.last() else { break };
            after = *last;
            for (number, is_published, vector) in &page {
                shelves.put(*number, *is_published, vector);
            }
        }
        tracing::info!(model = %identity, vectors = shelves.len(), "search goes by meaning too");
        let engine = Arc::new(Engine { identity, questions: Questions::start(answerer)?, shelves: RwLock::new(shelves) });
        self.meaning.set_engine(Some(Arc::clone(&engine)));
        self.engine = Some(Running { engine, provider });
        Ok(())
    }

    /// A few cases. False when there is nothing to do, or nobody to do it.
    async fn step(&mut self) -> Result<bool, Error> {
        let Some(Running { engine, provider }) = &self.engine else { return Ok(false) };
        let batch = match provider {
            Provider::Local { .. } => BATCH,
            Provider::Endpoint(endpoint) => endpoint.batch(),
        };
        let model = engine.identity.clone();
        let due = self.store.read(move |db| sql::due(db, &model, batch)).await?;
        if due.is_empty() {
            return Ok(false);
        }
        let mut changes: Vec<Change> = due.into_iter().map(|due| Change::of(due, self.passage)).collect();
        let texts: Vec<String> = changes.iter().filter_map(Change::wanted).map(str::to_owned).collect();
        if !texts.is_empty() {
            let mut vectors = provider.passages(texts).await?.into_iter();
            let wanting = changes.iter_mut().filter(|change| change.wanted().is_some());
            wanting.zip(vectors.by_ref()).for_each(|(change, vector)| change.made(&vector));
        }
        let (model, changes) = (engine.identity.clone(), Arc::new(changes));
        let written = Arc::clone(&changes);
        self.store.write(move |tx| written.iter().try_for_each(|change| change.write(tx, &model))).await?;
        let mut shelves = engine.shelves_mut();
        changes.iter().for_each(|change| change.apply(&mut shelves));
        Ok(true)
    }
}

impl Provider {
    async fn passages(&self, texts: Vec<String>) -> Result<Vec<Vector>, Error> {
        match self {
            Self::Local { passages, .. } => {
                let (answer, answered) = oneshot::channel();
                passages.send(Order { texts, answer }).await.map_err(|_| Error::Ended)?;
                Ok(answered.await.map_err(|_| Error::Ended)??)
            }
            Self::Endpoint(endpoint) => Ok(endpoint.vectors(Kind::Passage, &texts).await?),
        }
    }
}

/// The thread of a local model, until nobody can order any more. What nobody waits for any longer is left.
fn make(model: &Model, mut orders: mpsc::Receiver<Order>) {
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "the model's thread keeps its priority");
    }
    while let Some(Order { texts, answer }) = orders.blocking_recv() {
        let mut vectors = Vec::with_capacity(texts.len());
        let made = texts.iter().take_while(|_| !answer.is_closed()).try_for_each(|text| {
            vectors.push(Vector(model.embed(Kind::Passage, text)?));
            Ok(())
        });
        let _ = answer.send(made.map(|()| vectors));
    }
}

/// For the thread of questions, which is no thread of the runtime.
fn by_endpoint(endpoint: Endpoint) -> Answerer {
    let runtime = tokio::runtime::Handle::current();
    Box::new(move |text| {
        let texts = [text.to_owned()];
        let vectors = runtime.block_on(endpoint.vectors(Kind::Question, &texts));
        vectors.inspect_err(|error| tracing::warn!(%error, "a question got no vector")).ok()?.pop()
    })
}

/// What is done about one mark.
struct Change {
    seq: i64,
    number: u32,
    what: What,
}

enum What {
    /// It is on no shelf any more.
    Remove,
    /// Its text is the one that its vector was made of.
    Keep {
        is_published: bool,
        vector: Stored,
    },
    /// A vector is to be made.
    Make {
        is_published: bool,
        passage: String,
    },
    Made {
        is_published: bool,
        passage_sha256: String,
        vector: Stored,
    },
}

impl Change {
    fn of(due: sql::Due, passage_of: PassageOf) -> Self {
        let sql::Due { seq, number, text, known } = due;
        let what = match text.map(|text| (passage_of(&text.body), text.is_published)) {
            None => What::Remove,
            Some((passage, _)) if passage.trim().is_empty() => What::Remove,
            Some((passage, is_published)) => match known {
                Some((sha256, vector)) if sha256 == sha256_hex(&passage) => What::Keep { is_published, vector },
                Some(_) | None => What::Make { is_published, passage },
            },
        };
        Self { seq, number, what }
    }

    fn wanted(&self) -> Option<&str> {
        match &self.what {
            What::Make { passage, .. } => Some(passage),
            What::Remove | What::Keep { .. } | What::Made { .. } => None,
        }
    }

    fn made(&mut self, vector: &Vector) {
        if let What::Make { is_published, passage } = &self.what {
            self.what = What::Made { is_published: *is_published, passage_sha256: sha256_hex(passage), vector: Stored::of(vector) };
        }
    }

    fn write(&self, tx: &Tx<'_>, model: &str) -> Result<(), StoreError> {
        match &self.what {
            What::Remove => sql::remove(tx, self.number)?,
            What::Made { passage_sha256, vector, .. } => sql::put(tx, self.number, model, passage_sha256, vector)?,
            What::Keep { .. } => {}
            // It got no vector: its mark stays.
            What::Make { .. } => return Ok(()),
        }
        sql::done(tx, self.seq)
    }

    fn apply(&self, shelves: &mut Shelves) {
        match &self.what {
            What::Remove => shelves.remove(self.number),
            What::Keep { is_published, vector } | What::Made { is_published, vector, .. } => {
                shelves.put(self.number, *is_published, vector);
            }
            What::Make { .. } => {}
        }
    }
}
