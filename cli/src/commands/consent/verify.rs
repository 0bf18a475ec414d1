//! `lineman consent verify`: every signature behind a consent, checked again, and how to check them without this program.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use lineman_common::api::ConsentView;
use lineman_common::statement::{Anchors, CarrierSigners, Consent, DeviceStatement, Namespace, Request, Roster, Signed, SignerList, sig};
use serde::Serialize;
use serde_json::json;

use crate::client::Client;
use crate::commands::App;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Table, Tone, text};
use crate::trust::Trust;

/// Check every signature behind a consent, and print the ssh-keygen commands that repeat it
///
/// With a consent's id, its papers come from the centre; with a directory that --save wrote, from there, without any server.
/// Lists are judged at the time when the consent (or, before one, the request) was signed. Exit code 8 when something is wrong.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman consent verify cns_0123456789abcdef0123456789abcdef
  lineman consent verify cns_0123456789abcdef0123456789abcdef --save papers
  lineman consent verify papers --signers signers --vendor-root vendor-root")]
pub struct Verify {
    /// Ids of consents, or directories (or a file in one) with saved papers
    #[arg(required = true, value_name = "ID|DIR")]
    what: Vec<String>,
    /// Write the papers into this directory, in the form that ssh-keygen takes
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Your signers file [default: `signers` in the trust directory]
    #[arg(long, value_name = "FILE")]
    signers: Option<PathBuf>,
    /// Your vendor root [default: `vendor-root` in the trust directory]
    #[arg(long, value_name = "FILE")]
    vendor_root: Option<PathBuf>,
}

/// The signed papers of one consent.
struct Papers {
    request: Signed,
    consent: Option<Signed>,
    roster: Signed,
    device: Option<Signed>,
    anchors: Option<Signed>,
}

/// The outcome of one check.
#[derive(Clone, Debug, Serialize)]
struct Check {
    what: &'static str,
    /// `None`: it could not be checked here.
    good: Option<bool>,
    by: String,
    key: String,
    text: String,
}

impl Verify {
    pub async fn run(self, app: &App) -> Outcome {
        let mut worst = Exit::Done;
        for what in &self.what {
            if self.one(app, what).await? == Exit::CheckFailed {
                worst = Exit::CheckFailed;
            }
        }
        Ok(worst)
    }

    async fn one(&self, app: &App, what: &str) -> Outcome {
        let (papers, trust) = if what.starts_with("cns_") {
            let settings = app.settings()?;
            let client = Client::new(&settings.connect()?)?;
            let trust = Trust::open(&settings.trust(settings.key(None).as_deref()), self.vendor_root.as_deref(), self.signers.as_deref())?;
            (fetch(&client, what).await?, trust)
        } else {
            (read(Path::new(what))?, self.offline_trust(app, Path::new(what))?)
        };
        let (checks, commands) = check(&papers, &trust)?;
        let good = checks.iter().all(|check| check.good != Some(false));
        if app.out.is_json() {
            app.out.sheet(&json!({"good": good, "checks": checks, "commands": commands}), |_| crate::output::Sheet::default())?;
        } else {
            app.out.list(&checks, checks_table)?;
        }
        let place = match &self.save {
            Some(folder) => {
                save(folder, &papers, &trust)?;
                folder.display().to_string()
            }
            None if what.starts_with("cns_") => "DIR (write the papers there with --save DIR)".to_owned(),
            None => folder_of(Path::new(what)).display().to_string(),
        };
        if !app.out.is_json() {
            app.say(format!("the same without this program, in {place}:\n  {}", commands.join("\n  ")));
        }
        if checks.iter().any(|check| check.good.is_none()) {
            app.say("not everything could be checked here: see above");
        }
        if !good {
            app.say("the papers do NOT hold");
        }
        Ok(if good { Exit::Done } else { Exit::CheckFailed })
    }

    /// Without a server: named files, else the trust directory, else what --save put beside the papers (which then proves
    /// only that the papers fit each other).
    fn offline_trust(&self, app: &App, what: &Path) -> Result<Trust, Failure> {
        let folder = app.trust_folder()?;
        let pinned = self.vendor_root.is_some() || folder.join("vendor-root").is_file();
        if pinned {
            return Ok(Trust::open(&folder, self.vendor_root.as_deref(), self.signers.as_deref())?);
        }
        app.say("warning: no vendor root is pinned on this machine; the one beside the papers is used, which proves only that they fit each other");
        Ok(Trust::open(folder_of(what), None, self.signers.as_deref())?)
    }
}

fn folder_of(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")) }
}

async fn fetch(client: &Client, id: &str) -> Result<Papers, Failure> {
    let ConsentView { id, request, consents, roster, device_statement, device, .. } = client.consent(id).await?;
    let missing = |what: &str| Failure::new(Exit::CheckFailed, format!("the centre does not show the {what} of {id}"));
    // Whoever may not read the trust bundle can still check against their own signers.
    let anchors = client.trust(device.customer.as_str()).await.ok().and_then(|bundle| bundle.anchors);
    Ok(Papers {
        request: request.ok_or_else(|| missing("signed request"))?,
        consent: consents.into_iter().next(),
        roster: roster.ok_or_else(|| missing("roster"))?,
        device: device_statement,
        anchors,
    })
}

const REQUEST: &str = "request";
const CONSENT: &str = "consent";
const ROSTER: &str = "roster";
const DEVICE: &str = "device";
const ANCHORS: &str = "anchors";

fn read(path: &Path) -> Result<Papers, Failure> {
    let folder = folder_of(path);
    let one = |name: &str| -> Result<Option<Signed>, Failure> {
        let file = folder.join(name);
        if !file.is_file() {
            return Ok(None);
        }
        let read = |file: &Path| std::fs::read_to_string(file).map_err(|e| Failure::failed(format!("can't read {}: {e}", file.display())));
        Ok(Some(Signed { text: read(&file)?, signature: read(&folder.join(format!("{name}.sig")))? }))
    };
    let need = |name: &str| {
        one(name)?.ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("{} holds no `{name}`", folder.display()))
                .hint("give a consent's id, or a directory that `lineman consent verify ID --save DIR` wrote")
        })
    };
    Ok(Papers { request: need(REQUEST)?, consent: one(CONSENT)?, roster: need(ROSTER)?, device: one(DEVICE)?, anchors: one(ANCHORS)? })
}

fn save(folder: &Path, papers: &Papers, trust: &Trust) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::failed(format!("can't write into {}: {e}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let signed = [
        (REQUEST, Some(&papers.request)),
        (CONSENT, papers.consent.as_ref()),
        (ROSTER, Some(&papers.roster)),
        (DEVICE, papers.device.as_ref()),
        (ANCHORS, papers.anchors.as_ref()),
    ];
    for (name, signed) in signed {
        if let Some(Signed { text, signature }) = signed {
            std::fs::write(folder.join(name), text).map_err(failed)?;
            std::fs::write(folder.join(format!("{name}.sig")), signature).map_err(failed)?;
        }
    }
    std::fs::write(folder.join("vendor-root"), trust.vendor_root_text()).map_err(failed)?;
    if trust.has_signers() {
        std::fs::write(folder.join("signers"), trust.signers_text()?).map_err(failed)?;
    }
    Ok(())
}

/// All checks, and the commands that repeat them.
fn check(papers: &Papers, trust: &Trust) -> Result<(Vec<Check>, Vec<String>), Failure> {
    let consent = papers.consent.as_ref().map(Consent::read_unverified).transpose()?;
    let at = consent.as_ref().map_or_else(Timestamp::now, |consent| consent.issued);
    let mut checks = Vec::new();
    let mut commands = Vec::new();
    let mut add =
        |what, list: &str, by: &str, namespace: Namespace, file: &str, signed: &Signed, result: Result<Option<String>, String>| {
            let key = signed.signing_key(what, namespace).map(|key| sig::fingerprint(&key).to_string()).unwrap_or_default();
            let (good, text) = match result {
                Ok(Some(text)) => (Some(true), text),
                Ok(None) => (None, "the signature is sound, but no signers file is pinned here to say whose key it is".to_owned()),
                Err(why) => (Some(false), why),
            };
            checks.push(Check { what, good, by: by.to_owned(), key, text });
            commands.push(format!("ssh-keygen -Y verify -f {list} -I {by} -n {namespace} -s {file}.sig < {file}"));
        };

    let roster = Roster::verify(&papers.roster, &trust.vendor_root, at).and_then(|roster| roster.list().check_expiry(at).map(|()| roster));
    let told = roster.as_ref().map(|roster| Some(format!("number {}", roster.head.counter))).map_err(ToString::to_string);
    add("roster", "vendor-root", "vendor-root", Namespace::Roster, ROSTER, &papers.roster, told);

    let request = match &roster {
        Ok(roster) => Request::verify(&papers.request, roster, at).map_err(|e| e.to_string()),
        Err(_) => Err("not believed, because the roster is not".to_owned()),
    };
    let engineer = request.as_ref().map_or_else(|_| value_of(&papers.request.text, "engineer"), |request| request.engineer.to_string());
    let told = request.as_ref().map(|request| Some(format!("{} on {}", request.doors, request.device))).map_err(Clone::clone);
    add("request", ROSTER, &engineer, Namespace::Request, REQUEST, &papers.request, told);

    let signers = match (&request, trust.has_signers()) {
        (Ok(request), true) => Some(trust.signers(&request.device.customer).map_err(|e| e.to_string())),
        _ => None,
    };
    if let Some(signed) = &papers.device {
        let (list, vouchers) = vouchers(papers, trust, request.as_ref().ok(), signers.as_ref(), at);
        let verified = vouchers.and_then(|vouchers| DeviceStatement::verify(signed, &vouchers, at).map_err(|e| e.to_string()));
        let by = DeviceStatement::read_unverified(&signed.text).map(|statement| statement.vouched_by.to_string()).unwrap_or_default();
        let told = verified.and_then(|statement| match &request {
            Ok(request) if request.device != statement.device => Err("it is another device's than the request's".to_owned()),
            Ok(request) if request.host_key != statement.host_key_fingerprint() => {
                Err("it names another host key than the request".to_owned())
            }
            _ => Ok(Some(format!("{} has {}", statement.device, statement.host_key_fingerprint()))),
        });
        if list == ANCHORS
            && let Some(anchors) = &papers.anchors
        {
            let verified = request.as_ref().ok().map(|request| Anchors::verify(anchors, &request.device.customer, &trust.vendor_root, at));
            let anchors_told = match verified {
                Some(Ok(_)) => Ok(Some("who may vouch for devices".to_owned())),
                Some(Err(refused)) => Err(refused.to_string()),
                None => Err("not believed, because the request is not".to_owned()),
            };
            add("anchors", "vendor-root", "vendor-root", Namespace::Anchors, ANCHORS, anchors, anchors_told);
        }
        add("device", list, &by, Namespace::Device, DEVICE, signed, told);
    }
    if let (Some(signed), Some(consent)) = (&papers.consent, &consent) {
        let told = consent_check(papers, signed, request.as_ref(), signers.as_ref(), at);
        add("consent", "signers", consent.approver.as_str(), Namespace::Consent, CONSENT, signed, told);
        commands.push(format!(
            "echo '{}  request' | sha256sum -c    # the consent is for exactly this request",
            hex_only(&consent.request_sha256)
        ));
    }
    Ok((checks, commands))
}

fn consent_check(
    papers: &Papers,
    signed: &Signed,
    request: Result<&Request, &String>,
    signers: Option<&Result<CarrierSigners, String>>,
    at: Timestamp,
) -> Result<Option<String>, String> {
    let request = request.map_err(|_| "not believed, because the request is not".to_owned())?;
    let text = &papers.request.text;
    match signers {
        Some(Ok(signers)) => {
            let consent = Consent::verify(signed, request, text, signers, at).map_err(|e| e.to_string())?;
            Ok(Some(format!("{} for {} s", consent.doors, consent.duration_s)))
        }
        Some(Err(why)) => Err(why.clone()),
        None => {
            signed.signing_key("consent", Namespace::Consent).map_err(|e| e.to_string())?;
            let consent = Consent::read_unverified(signed).map_err(|e| e.to_string())?;
            consent.check_fits(request, text).map_err(|e| e.to_string())?;
            Ok(None)
        }
    }
}

/// The list that says who may vouch for the device, and the name of its file.
fn vouchers(
    papers: &Papers,
    trust: &Trust,
    request: Option<&Request>,
    signers: Option<&Result<CarrierSigners, String>>,
    at: Timestamp,
) -> (&'static str, Result<SignerList, String>) {
    match (signers, &papers.anchors, request) {
        (Some(Ok(signers)), _, _) => ("signers", Ok(signers.list().clone())),
        (Some(Err(why)), _, _) => ("signers", Err(why.clone())),
        (None, Some(anchors), Some(request)) => {
            let verified = Anchors::verify(anchors, &request.device.customer, &trust.vendor_root, at);
            (ANCHORS, verified.map(|anchors| anchors.list().clone()).map_err(|e| e.to_string()))
        }
        (None, Some(_), None) => (ANCHORS, Err("not believed, because the request is not".to_owned())),
        (None, None, _) => ("signers", Err("neither a signers file nor anchors are here to check it against".to_owned())),
    }
}

/// A value of a text that is not believed, for showing: the person it claims to be from.
fn value_of(text: &str, key: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": ")).unwrap_or_default();
    // It goes into a shell command that somebody may copy.
    line.parse::<lineman_common::name::PersonName>().map(|name| name.to_string()).unwrap_or_default()
}

fn hex_only(text: &str) -> String {
    text.chars().filter(char::is_ascii_hexdigit).collect()
}

fn checks_table(checks: &[Check]) -> Table {
    let row = |check: &Check| {
        let result = match check.good {
            Some(true) => Cell::toned("good", Tone::Good),
            Some(false) => Cell::toned("BAD", Tone::Bad),
            None => Cell::toned("not checked", Tone::Warn),
        };
        [text(check.what), result, text(&check.by), text(&check.key), text(&check.text)]
    };
    Table::new(["what", "result", "signed by", "key", "says"], checks.iter().map(row))
}
