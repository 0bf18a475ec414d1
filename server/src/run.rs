//! `lineman-server run`: binds everything, says ready, waits, drains.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use lineman_common::statement::SignerList;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Settings;
use crate::gateway::{self, Jump, Legs, Lines, Parking, Platform};
use crate::health::Samples;
use crate::store::Store;
use crate::terminals::{self, Terminals};
use crate::trust::{self, Authority, http::Addresses};
use crate::web::ApiError;
use crate::{agents, api, cases, consents, duty, faults, link, meaning, notices, people, sessions, walls};

/// How long connections may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// A roster lives 35 days at most: this long before its end somebody should sign the next one.
const ROSTER_WARNING: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How often requests that nobody answered are let lapse.
const LAPSE_EVERY: Duration = Duration::from_secs(5);

pub async fn run(config: &Path) -> anyhow::Result<()> {
    let settings = Settings::read(config)?;
    let listener = TcpListener::bind(settings.listen).await.with_context(|| format!("listen = {}", settings.listen))?;
    let jump_listener = TcpListener::bind(settings.jump).await.with_context(|| format!("jump = {}", settings.jump))?;
    let addresses =
        Addresses { main: settings.address(listener.local_addr()?.port()), jump: settings.address(jump_listener.local_addr()?.port()) };
    let ready = serde_json::json!({"server": format!("https://{}", addresses.main), "jump": addresses.jump});

    let store = Store::open(&settings.database(), crate::LISTENERS)?;
    store.write(|tx| agents::all_offline(tx).map_err(ApiError::from)).await.map_err(|e| anyhow::anyhow!("{e:?}"))?;
    store.write(|tx| duty::no_terminals(tx).map_err(ApiError::from)).await.map_err(|e| anyhow::anyhow!("{e:?}"))?;
    faults::attachments::collect(&store).await?;
    let quota_bytes = settings.recording_quota_bytes;
    store
        .write(move |tx| sessions::quota::set_default(tx, quota_bytes).map_err(ApiError::from))
        .await
        .map_err(|e| anyhow::anyhow!("{e:?}"))?;
    let courier = notices::Courier::new(settings.mail.as_ref(), &settings.notices, addresses.main.clone()).context("[mail]")?;
    let library = cases::library::Library::open(&settings.dir);
    let meaning = meaning::Meaning::open(&settings.semantics, &settings.dir);
    let samples = Samples::open(&settings.health())?;
    let authority = Arc::new(Authority::open(&settings.dir).context("ca.pem, ca.key")?);
    let vendor_root = Arc::new(SignerList::parse("vendor root", &std::fs::read_to_string(settings.vendor_root())?)?);
    let gateway_key = ssh_key::PrivateKey::read_openssh_file(settings.gateway_key()).context("gateway_key")?;
    let client_key = Arc::new(gateway::keys::client_key(&settings.dir)?);

    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (links, legs, lines) = (agents::Links::default(), Legs::new(stop.clone(), tasks.clone()), Lines::new(tasks.clone()));
    let jump = Jump {
        unknown: Arc::new(tokio::sync::Semaphore::new(gateway::MOST_UNKNOWN)),
        store: store.clone(),
        links: links.clone(),
        legs: legs.clone(),
        parking: Parking::default(),
        vendor_root: Arc::clone(&vendor_root),
        client_key,
        stop: stop.clone(),
        tasks: tasks.clone(),
    };
    let walls = walls::Walls::default();
    let sign_in = Arc::new(people::SignIn::open(&settings, &addresses.main, &store).await?);
    let handles = api::Handles {
        store: store.clone(),
        samples: samples.clone(),
        links: links.clone(),
        authority: Arc::clone(&authority),
        vendor_root: Arc::clone(&vendor_root),
        lines: gateway::http::Handles { jump: jump.clone(), lines: lines.clone() },
        addresses: Arc::new(addresses),
        throttle: Arc::new(people::Throttle::default()),
        sign_in,
        has_mail: notices::http::HasMail(settings.mail.is_some()),
        library: library.clone(),
        meaning: meaning.clone(),
        terminals: Terminals::new(jump.clone(), terminals::Patience::default()),
        walls: walls.clone(),
        about: api::system::About { started_at: Timestamp::now(), demo: settings.demo },
        stop: stop.clone(),
    };
    let link = link::Door { store: store.clone(), samples, links: links.clone(), stop: stop.clone(), tasks: tasks.clone() };
    let router = api::router(&handles).merge(link::routes(link));
    let door = api::Door::new(router, Platform { legs, lines }, &authority, &settings.names, stop.clone(), tasks.clone())?;
    let roster_root = Arc::clone(&vendor_root);
    tasks.spawn(api::serve(door, listener));
    tasks.spawn(gateway::parking::run(jump.clone()));
    tasks.spawn(gateway::serve(jump, gateway_key, jump_listener));
    tasks.spawn(watch_roster(store.clone(), roster_root, stop.clone()));
    tasks.spawn(lapse(store.clone(), stop.clone()));
    tasks.spawn(faults::from_alarms::run(store.clone(), stop.clone()));
    tasks.spawn(faults::closing::run(store.clone(), stop.clone()));
    tasks.spawn(faults::clocks::run(store.clone(), stop.clone()));
    tasks.spawn(faults::list::run(store.clone(), stop.clone()));
    tasks.spawn(cases::life::flags::run(store.clone(), stop.clone()));
    tasks.spawn(cases::library::run(library, store.clone(), stop.clone()));
    tasks.spawn(meaning::run(store.clone(), meaning, cases::find::passage, stop.clone()));
    tasks.spawn(notices::run(store.clone(), courier, stop.clone()));
    tasks.spawn(sessions::digest::run(store.clone(), stop.clone()));
    tasks.spawn(walls::run(store.clone(), walls, stop.clone()));
    tasks.spawn(cases::offers::run(store.clone(), stop.clone()));

    println!("ready {ready}");
    tracing::info!(%ready, demo = settings.demo, "ready");
    asked_to_stop().await?;
    tracing::info!("stopping; a second signal stops at once");
    stop.cancel();
    tasks.close();
    tokio::select! {
        () = tasks.wait() => {}
        () = tokio::time::sleep(DRAIN) => tracing::warn!("some connections did not finish in {} s", DRAIN.as_secs()),
        _ = asked_to_stop() => tracing::warn!("stopped at once"),
    }
    store.close().await;
    Ok(())
}

async fn asked_to_stop() -> std::io::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}

/// Says in the log, at the start and once a day, when the roster is about to expire: without one nobody gets in.
async fn watch_roster(store: Store, vendor_root: Arc<SignerList>, stop: CancellationToken) {
    let mut every = tokio::time::interval(Duration::from_secs(24 * 3600));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let vendor_root = Arc::clone(&vendor_root);
        let expiry = store.read(move |db| -> Result<_, trust::Error> { Ok(trust::roster(db, &vendor_root)?.head.expiry) }).await;
        match expiry {
            Ok(expiry) if expiry < Timestamp::now() + ROSTER_WARNING => {
                tracing::warn!(%expiry, "the roster expires soon, and then no engineer gets in: have the vendor root sign a new one");
            }
            Ok(_) | Err(trust::Error::NoRoster) => {}
            Err(error) => tracing::error!(%error, "the published roster can't be used"),
        }
    }
}

async fn lapse(store: Store, stop: CancellationToken) {
    let mut every = tokio::time::interval(LAPSE_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        if let Err(error) = store.write(|tx| consents::lapse(tx).map_err(ApiError::from)).await {
            tracing::error!(?error, "requests could not be let lapse");
        }
    }
}
