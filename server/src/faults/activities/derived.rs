//! Consents, sessions and diagnoses, as the fault's events tell of them.

use lineman_common::Printable;
use lineman_common::api::{Activity, Event};
use lineman_common::fault::{ActivityKind, ActivityState};

use crate::events::Kind;

/// What an event means for the activity that it names.
enum Means {
    Begins(ActivityKind, &'static str),
    Ends(&'static str, ActivityState),
    Nothing,
}

fn meaning(kind: &str) -> Means {
    let Ok(kind) = kind.parse::<Kind>() else { return Means::Nothing };
    // Other kinds are many, and grow: only these speak of consents and sessions that begin or end.
    let table: &[(Kind, Means)] = &[
        (Kind::ConsentRequested, Means::Begins(ActivityKind::Consent, "consent")),
        (Kind::ConsentRefused, Means::Ends("consent", ActivityState::Cancelled)),
        (Kind::ConsentRefusedByDevice, Means::Ends("consent", ActivityState::Cancelled)),
        (Kind::ConsentLapsed, Means::Ends("consent", ActivityState::Cancelled)),
        (Kind::ConsentRevoked, Means::Ends("consent", ActivityState::Done)),
        (Kind::ConsentEnded, Means::Ends("consent", ActivityState::Done)),
        (Kind::SessionOpened, Means::Begins(ActivityKind::Session, "session")),
        (Kind::SessionEnded, Means::Ends("session", ActivityState::Done)),
    ];
    match table.iter().find(|(known, _)| *known == kind) {
        Some((_, Means::Begins(what, key))) => Means::Begins(*what, key),
        Some((_, Means::Ends(key, state))) => Means::Ends(key, *state),
        Some((_, Means::Nothing)) | None => Means::Nothing,
    }
}

pub fn from(log: &[Event]) -> Vec<Activity> {
    let mut activities: Vec<Activity> = Vec::new();
    for event in log {
        match meaning(&event.kind) {
            Means::Begins(kind, key) => {
                let Some(id) = event.data[key].as_str() else { continue };
                activities.push(begun(id.to_owned(), kind, event));
            }
            Means::Ends(key, state) => {
                let Some(id) = event.data[key].as_str() else { continue };
                let running = activities.iter_mut().find(|activity| activity.id == id && activity.state == ActivityState::Running);
                if let Some(activity) = running {
                    activity.state = state;
                    activity.ended_at = Some(event.occurred_at);
                    activity.outcome = Some(event.text.clone());
                }
            }
            Means::Nothing => {}
        }
    }
    activities.extend(diagnoses(log));
    activities
}

fn begun(id: String, kind: ActivityKind, event: &Event) -> Activity {
    Activity {
        id,
        kind,
        state: ActivityState::Running,
        by: event.actor.clone(),
        with: None,
        text: event.text.clone(),
        planned_at: None,
        started_at: Some(event.occurred_at),
        ended_at: None,
        outcome: None,
    }
}

/// Looking for the cause begins with the acceptance, and again when the fault is reopened; each recorded diagnosis ends it.
fn diagnoses(log: &[Event]) -> Vec<Activity> {
    let mut found: Vec<Activity> = Vec::new();
    let mut open: Option<Activity> = None;
    for event in log {
        let is = |kind: Kind| event.kind == kind.as_str();
        if is(Kind::FaultAccepted) || is(Kind::FaultReopened) {
            open = Some(Activity {
                text: Printable::default(),
                ..begun(format!("diagnosis-{}", found.len() + 1), ActivityKind::Diagnosis, event)
            });
        } else if is(Kind::FaultDiagnosed) {
            let begun = open.take().unwrap_or_else(|| begun(format!("diagnosis-{}", found.len() + 1), ActivityKind::Diagnosis, event));
            found.push(Activity {
                state: ActivityState::Done,
                by: event.actor.clone(),
                text: Printable::default(),
                ended_at: Some(event.occurred_at),
                outcome: Some(event.text.clone()),
                ..begun
            });
        } else if [Kind::FaultRestored, Kind::FaultClosed, Kind::FaultRejected, Kind::FaultCancelled, Kind::FaultDuplicate]
            .iter()
            .any(|kind| is(*kind))
        {
            found.extend(open.take().map(|open| Activity { state: ActivityState::Cancelled, ended_at: Some(event.occurred_at), ..open }));
        }
    }
    found.extend(open);
    found
}
