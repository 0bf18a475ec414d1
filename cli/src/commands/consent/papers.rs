//! The signed papers of one consent: from the centre, or from a directory where each lies beside its `.sig`.

use std::path::{Path, PathBuf};

use lineman_common::api::ConsentView;
use lineman_common::session::Grade;
use lineman_common::statement::{DeviceStatement, Namespace, Request, Signed, device::openssh};

use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::trust::Trust;

pub const REQUEST: &str = "request";
pub const CONSENT: &str = "consent";
pub const STANDING: &str = "standing";
pub const LOCAL: &str = "local";
pub const ROSTER: &str = "roster";
pub const DEVICE: &str = "device";
pub const ANCHORS: &str = "anchors";
/// An allowed_signers file for what the device signs, made from the device's statement.
pub const HOST_KEY: &str = "host-key";

/// More answers than this are not the work of a carrier: two people are the most that a device asks for.
const MOST_ANSWERS: usize = 16;

pub struct Papers {
    pub request: Signed,
    /// What the carrier signed, with the name of its file: consents, or standing statements for grade `role`.
    pub answers: Vec<(String, Signed)>,
    /// The device's own word for a local approval.
    pub local: Option<Signed>,
    pub roster: Signed,
    pub device: Option<Signed>,
    pub anchors: Option<Signed>,
}

/// `consent`, `consent-2`, ...
fn numbered(name: &str, index: usize) -> String {
    if index == 0 { name.to_owned() } else { format!("{name}-{}", index + 1) }
}

impl Papers {
    pub async fn fetch(client: &Client, id: &str) -> Result<Self, Failure> {
        let view = client.consent(id).await?;
        let ConsentView { id, request, consents, local, roster, device_statement, device, .. } = view;
        let missing = |what: &str| Failure::new(Exit::CheckFailed, format!("the centre does not show the {what} of {id}"));
        // Whoever may not read the trust bundle can still check against their own signers.
        let anchors = client.trust(device.customer.as_str()).await.ok().and_then(|bundle| bundle.anchors);
        let request = request.ok_or_else(|| missing("signed request"))?;
        // By the signed request's own word, not by the centre's.
        let role = Request::read_unverified(&request)?.grade == Grade::Role;
        let name = if role { STANDING } else { CONSENT };
        Ok(Self {
            request,
            answers: consents.into_iter().enumerate().map(|(index, signed)| (numbered(name, index), signed)).collect(),
            local,
            roster: roster.ok_or_else(|| missing("roster"))?,
            device: device_statement,
            anchors,
        })
    }

    pub fn read(path: &Path) -> Result<Self, Failure> {
        let folder = folder_of(path);
        let one = |name: &str| -> Result<Option<Signed>, Failure> {
            let file = folder.join(name);
            if !file.is_file() {
                return Ok(None);
            }
            Ok(Some(Signed { text: text_of(&file)?, signature: text_of(&folder.join(format!("{name}.sig")))? }))
        };
        let need = |name: &str| {
            one(name)?.ok_or_else(|| {
                Failure::new(Exit::NotFound, format!("{} holds no `{name}`", folder.display()))
                    .hint("give a consent's id, or a directory that `lineman consent verify ID --save DIR` wrote")
            })
        };
        let mut answers = Vec::new();
        for name in [CONSENT, STANDING] {
            for index in 0..MOST_ANSWERS {
                let name = numbered(name, index);
                let Some(signed) = one(&name)? else { break };
                answers.push((name, signed));
            }
        }
        Ok(Self {
            request: need(REQUEST)?,
            answers,
            local: one(LOCAL)?,
            roster: need(ROSTER)?,
            device: one(DEVICE)?,
            anchors: one(ANCHORS)?,
        })
    }

    pub fn save(&self, folder: &Path, trust: &Trust) -> Result<(), Failure> {
        let failed = |e: std::io::Error| Failure::failed(format!("can't write into {}: {e}", folder.display()));
        std::fs::create_dir_all(folder).map_err(failed)?;
        let own = [
            (REQUEST, Some(&self.request)),
            (LOCAL, self.local.as_ref()),
            (ROSTER, Some(&self.roster)),
            (DEVICE, self.device.as_ref()),
            (ANCHORS, self.anchors.as_ref()),
        ];
        let own = own.into_iter().filter_map(|(name, signed)| Some((name, signed?)));
        let answers = self.answers.iter().map(|(name, signed)| (name.as_str(), signed));
        for (name, Signed { text, signature }) in own.chain(answers) {
            std::fs::write(folder.join(name), text).map_err(failed)?;
            std::fs::write(folder.join(format!("{name}.sig")), signature).map_err(failed)?;
        }
        if let Some(line) = self.host_key_line() {
            std::fs::write(folder.join(HOST_KEY), line).map_err(failed)?;
        }
        std::fs::write(folder.join("vendor-root"), trust.vendor_root_text()).map_err(failed)?;
        if trust.has_signers() {
            std::fs::write(folder.join("signers"), trust.signers_text()?).map_err(failed)?;
        }
        Ok(())
    }

    /// The device's host key as a line of an allowed_signers file, for what the device itself signed.
    fn host_key_line(&self) -> Option<String> {
        self.local.as_ref()?;
        let statement = DeviceStatement::read_unverified(&self.device.as_ref()?.text).ok()?;
        Some(format!("{} namespaces=\"{}\" {}\n", statement.device, Namespace::Local, openssh(&statement.host_key)))
    }
}

pub fn folder_of(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")) }
}

fn text_of(file: &PathBuf) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|e| Failure::failed(format!("can't read {}: {e}", file.display())))
}
