//! Collecting the papers of a session: from the centre, and from what is pinned on this machine.

use lineman_common::api::RecordingReply;
use lineman_common::recording::Bind;
use lineman_common::statement::{Signed, sha256_hex};

use super::{Grant, MOST_PAPERS};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::trust::Trust;

/// Everything of a bundle beside the recording.
#[derive(Clone, Debug)]
pub struct Papers {
    pub device_statement: Signed,
    pub anchors: Option<Signed>,
    pub signers: Option<String>,
    pub vendor_root: Option<String>,
    pub roster: Signed,
    pub request: Signed,
    pub grants: Vec<(Grant, Signed)>,
    /// What is missing in words: the bundle will not prove everything.
    pub lacks: Vec<String>,
}

impl Papers {
    /// Fetches what the centre has; the lists of this machine come along as copies.
    pub async fn fetch(client: &Client, trust: Option<&Trust>, reply: &RecordingReply, bind: &Bind) -> Result<Self, Failure> {
        let view = client.consent(&bind.consent.to_string()).await?;
        let missing = |what: &str| Failure::new(Exit::CheckFailed, format!("the centre does not show the {what} of {}", bind.consent));
        let mut lacks = Vec::new();
        // Whoever may not read the anchors may still hold the carrier's own list.
        let anchors = client.trust(bind.device.customer.as_str()).await.ok().and_then(|bundle| bundle.anchors);
        let signers = trust.filter(|trust| trust.has_signers()).map(Trust::signers_text).transpose()?;
        if anchors.is_none() && signers.is_none() {
            lacks.push("neither anchors nor signers are here: whoever verifies it needs the carrier's signers".to_owned());
        }
        let shown: Vec<_> = view.consents.into_iter().chain(view.local).collect();
        let mut grants = Vec::new();
        for hash in bind.consents_sha256.iter().take(MOST_PAPERS) {
            let paper = shown.iter().find(|signed| sha256_hex(&signed.text) == *hash);
            match paper.and_then(|signed| Some((Grant::of(&signed.text)?, signed.clone()))) {
                Some(grant) => grants.push(grant),
                None => lacks.push(format!("the centre does not show the consent {hash} that the recording is bound to")),
            }
        }
        Ok(Self {
            device_statement: reply.device_statement.clone(),
            anchors,
            signers,
            vendor_root: trust.map(|trust| trust.vendor_root_text().to_owned()),
            roster: view.roster.ok_or_else(|| missing("roster"))?,
            request: view.request.ok_or_else(|| missing("signed request"))?,
            grants,
            lacks,
        })
    }
}
