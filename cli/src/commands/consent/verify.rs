//! `lineman consent verify`: every signature behind a consent, checked again, and how to check them without this program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use lineman_common::name::PersonName;
use lineman_common::statement::{
    Anchors, CarrierSigners, Consent, DeviceStatement, KeyClass, LocalAct, LocalStatement, Namespace, Request, Roster, Signed, SignerList,
    Standing, sha256_hex, sig,
};
use serde::Serialize;
use serde_json::json;

use super::papers::{ANCHORS, DEVICE, HOST_KEY, LOCAL, Papers, REQUEST, ROSTER, STANDING, folder_of};
use crate::client::Client;
use crate::commands::App;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Table, Tone, text};
use crate::trust::Trust;

/// Check every signature behind a consent, and print the ssh-keygen commands that repeat it
///
/// With a consent's id, its papers come from the centre; with a directory that --save wrote, from there, without any server.
/// Lists are judged at the time when the carrier's answer (or, before one, the request) was signed. Exit code 8 when something is
/// wrong.
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

/// The outcome of one check.
#[derive(Clone, Debug, Serialize)]
struct Check {
    what: String,
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
            (Papers::fetch(&client, what).await?, trust)
        } else {
            (Papers::read(Path::new(what))?, self.offline_trust(app, Path::new(what))?)
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
                papers.save(folder, &trust)?;
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

/// What a check found: `None` when the signature is sound and nobody here can say whose key it is.
type Told = Result<Option<String>, String>;

const NOT_BELIEVED: &str = "not believed, because the request is not";

/// The checks so far, and the commands that repeat them.
struct Report {
    checks: Vec<Check>,
    commands: Vec<String>,
}

/// One signed paper: its file, who must have signed it, by which list, for what, when that had to hold.
struct Paper<'a> {
    file: &'a str,
    list: &'a str,
    by: &'a str,
    namespace: Namespace,
    at: Timestamp,
}

impl Report {
    fn add(&mut self, paper: &Paper<'_>, signed: &Signed, told: Told) {
        let Paper { file, list, by, namespace, at } = *paper;
        let key = signed.signing_key("paper", namespace).map(|key| sig::fingerprint(&key).to_string()).unwrap_or_default();
        let (good, text) = match told {
            Ok(Some(text)) => (Some(true), text),
            Ok(None) => (None, "the signature is sound, but no signers file is pinned here to say whose key it is".to_owned()),
            Err(why) => (Some(false), why),
        };
        let text = if namespace == Namespace::ConsentBrowser { KeyClass::Page.remarked(&text) } else { text };
        self.checks.push(Check { what: file.to_owned(), good, by: by.to_owned(), key, text });
        // Keys and lists run out; what was signed while they held stays signed.
        let time = at.strftime("%Y%m%d%H%M%SZ");
        self.commands.push(format!("ssh-keygen -Y verify -Overify-time={time} -f {list} -I {by} -n {namespace} -s {file}.sig < {file}"));
    }

    /// A paper that is bound to the request by its hash.
    fn bound(&mut self, request_sha256: &str, file: &str) {
        self.commands.push(format!(
            "echo '{}  {REQUEST}' | sha256sum -c    # the {file} is for exactly this request",
            request_sha256.chars().filter(char::is_ascii_hexdigit).collect::<String>()
        ));
    }
}

/// When the carrier's answer was given: then everything has to have held.
fn time_of(papers: &Papers) -> Result<Timestamp, Failure> {
    let mut times = Vec::new();
    for (name, signed) in &papers.answers {
        if !name.starts_with(STANDING) {
            times.push(Consent::read_unverified(signed)?.issued);
        }
    }
    if let Some(local) = &papers.local {
        times.push(LocalStatement::read_unverified(local)?.at);
    }
    // A standing statement answers at once.
    Ok(times.into_iter().max().map_or_else(|| Request::read_unverified(&papers.request).map(|request| request.issued), Ok)?)
}

/// All checks, and the commands that repeat them.
fn check(papers: &Papers, trust: &Trust) -> Result<(Vec<Check>, Vec<String>), Failure> {
    let at = time_of(papers)?;
    let mut report = Report { checks: Vec::new(), commands: Vec::new() };

    let roster = Roster::verify(&papers.roster, &trust.vendor_root, at).and_then(|roster| roster.list().check_expiry(at).map(|()| roster));
    let told = roster.as_ref().map(|roster| Some(format!("number {}", roster.head.counter))).map_err(ToString::to_string);
    report.add(&Paper { file: ROSTER, list: "vendor-root", by: "vendor-root", namespace: Namespace::Roster, at }, &papers.roster, told);

    let request = match &roster {
        Ok(roster) => Request::verify(&papers.request, roster, at).map_err(|e| e.to_string()),
        Err(_) => Err("not believed, because the roster is not".to_owned()),
    };
    let engineer = request.as_ref().map_or_else(|_| value_of(&papers.request.text, "engineer"), |request| request.engineer.to_string());
    let told = request
        .as_ref()
        .map(|request| Some(format!("{} on {}, grade {}", request.doors, request.device, request.grade)))
        .map_err(Clone::clone);
    report.add(&Paper { file: REQUEST, list: ROSTER, by: &engineer, namespace: Namespace::Request, at }, &papers.request, told);

    let signers = match (&request, trust.has_signers()) {
        (Ok(request), true) => Some(trust.signers(&request.device.customer).map_err(|e| e.to_string())),
        _ => None,
    };
    let chain = Chain { papers, trust, request: request.as_ref().ok(), roster: roster.as_ref().ok(), signers: signers.as_ref(), at };
    let statement = chain.device(&mut report);
    for (name, signed) in &papers.answers {
        if name.starts_with(STANDING) {
            chain.standing(&mut report, name, signed)?;
        } else {
            chain.consent(&mut report, name, signed)?;
        }
    }
    if papers.answers.len() > 1 {
        report.checks.push(people(papers));
    }
    if let Some(signed) = &papers.local {
        chain.local(&mut report, signed, statement.as_ref())?;
    }
    Ok((report.checks, report.commands))
}

/// Two approvals are two people with two keys.
fn people(papers: &Papers) -> Check {
    let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for (name, signed) in &papers.answers {
        let standing = name.starts_with(STANDING);
        let namespace = if standing { Namespace::Standing } else { namespace_of(signed) };
        names.insert(value_of(&signed.text, "approver"));
        keys.extend(signed.signing_key("paper", namespace).map(|key| sig::fingerprint(&key).to_string()));
    }
    let count = papers.answers.len();
    let good = names.len() == count && keys.len() == count;
    let text = if good { "different people, with different keys" } else { "the same person or the same key signed more than once" };
    Check {
        what: "people".to_owned(),
        good: Some(good),
        by: names.into_iter().collect::<Vec<_>>().join(","),
        key: String::new(),
        text: text.to_owned(),
    }
}

/// What a consent's signature says that it is for; what that is worth, its check says.
fn namespace_of(consent: &Signed) -> Namespace {
    KeyClass::claimed(consent).map_or(Namespace::Consent, KeyClass::namespace)
}

/// What the later papers hang on.
struct Chain<'a> {
    papers: &'a Papers,
    trust: &'a Trust,
    /// Verified ones only.
    request: Option<&'a Request>,
    roster: Option<&'a Roster>,
    signers: Option<&'a Result<CarrierSigners, String>>,
    at: Timestamp,
}

impl Chain<'_> {
    /// The device's statement; returned only if it is believed.
    fn device(&self, report: &mut Report) -> Option<DeviceStatement> {
        let signed = self.papers.device.as_ref()?;
        let (list, vouchers) = self.vouchers();
        if let (ANCHORS, Some(anchors)) = (list, &self.papers.anchors) {
            let verified = self.request.map(|request| Anchors::verify(anchors, &request.device.customer, &self.trust.vendor_root, self.at));
            let told = match verified {
                Some(Ok(_)) => Ok(Some("who may vouch for devices".to_owned())),
                Some(Err(refused)) => Err(refused.to_string()),
                None => Err(NOT_BELIEVED.to_owned()),
            };
            report.add(
                &Paper { file: ANCHORS, list: "vendor-root", by: "vendor-root", namespace: Namespace::Anchors, at: self.at },
                anchors,
                told,
            );
        }
        let verified = vouchers.and_then(|vouchers| DeviceStatement::verify(signed, &vouchers, self.at).map_err(|e| e.to_string()));
        let verified = verified.and_then(|statement| match self.request {
            Some(request) if request.device != statement.device => Err("it is another device's than the request's".to_owned()),
            Some(request) if request.host_key != statement.host_key_fingerprint() => {
                Err("it names another host key than the request".to_owned())
            }
            _ => Ok(statement),
        });
        let by = DeviceStatement::read_unverified(&signed.text).map(|statement| statement.vouched_by.to_string()).unwrap_or_default();
        let told = verified.as_ref().map_err(Clone::clone);
        let told = told.map(|statement| Some(format!("{} has {}", statement.device, statement.host_key_fingerprint())));
        report.add(&Paper { file: DEVICE, list, by: &by, namespace: Namespace::Device, at: self.at }, signed, told);
        verified.ok()
    }

    /// The list that says who may vouch for the device, and the name of its file.
    fn vouchers(&self) -> (&'static str, Result<SignerList, String>) {
        match (self.signers, &self.papers.anchors, self.request) {
            (Some(Ok(signers)), _, _) => ("signers", Ok(signers.list().clone())),
            (Some(Err(why)), _, _) => ("signers", Err(why.clone())),
            (None, Some(anchors), Some(request)) => {
                let verified = Anchors::verify(anchors, &request.device.customer, &self.trust.vendor_root, self.at);
                (ANCHORS, verified.map(|anchors| anchors.list().clone()).map_err(|e| e.to_string()))
            }
            (None, Some(_), None) => (ANCHORS, Err(NOT_BELIEVED.to_owned())),
            (None, None, _) => ("signers", Err("neither a signers file nor anchors are here to check it against".to_owned())),
        }
    }

    fn consent(&self, report: &mut Report, file: &str, signed: &Signed) -> Result<(), Failure> {
        let consent = Consent::read_unverified(signed)?;
        let text = &self.papers.request.text;
        let told: Told = match (self.request, self.signers) {
            (None, _) => Err(NOT_BELIEVED.to_owned()),
            (Some(request), Some(Ok(signers))) => {
                let verified = Consent::verify(signed, request, text, signers, consent.issued);
                verified.map(|(consent, _)| Some(format!("{} for {} s", consent.doors, consent.duration_s))).map_err(|e| e.to_string())
            }
            (Some(_), Some(Err(why))) => Err(why.clone()),
            (Some(request), None) => {
                let sound = Consent::signatory(signed).and_then(|_| consent.check_fits(request, text));
                sound.map(|()| None).map_err(|e| e.to_string())
            }
        };
        report.add(
            &Paper { file, list: "signers", by: consent.approver.as_str(), namespace: namespace_of(signed), at: consent.issued },
            signed,
            told,
        );
        report.bound(&consent.request_sha256, file);
        Ok(())
    }

    fn standing(&self, report: &mut Report, file: &str, signed: &Signed) -> Result<(), Failure> {
        let standing = Standing::read_unverified(signed)?;
        let told: Told = match (self.request, self.roster, self.signers) {
            (Some(request), Some(roster), Some(Ok(signers))) => {
                let verified = Standing::verify(signed, signers, self.at);
                let covers = verified.and_then(|standing| standing.check_covers(request, roster).map(|()| standing));
                let told = covers
                    .map(|standing| Some(format!("level {} or more on {}, for {}", standing.level, standing.devices, standing.fault)));
                told.map_err(|e| e.to_string())
            }
            (Some(_), Some(_), Some(Err(why))) => Err(why.clone()),
            (Some(request), Some(roster), None) => {
                let sound =
                    signed.signing_key("standing statement", Namespace::Standing).and_then(|_| standing.check_covers(request, roster));
                sound.map(|()| None).map_err(|e| e.to_string())
            }
            (None, _, _) | (_, None, _) => Err(NOT_BELIEVED.to_owned()),
        };
        report.add(
            &Paper { file, list: "signers", by: standing.approver.as_str(), namespace: Namespace::Standing, at: self.at },
            signed,
            told,
        );
        Ok(())
    }

    /// The device's own word that its administrator approved: no carrier signer signed.
    fn local(&self, report: &mut Report, signed: &Signed, statement: Option<&DeviceStatement>) -> Result<(), Failure> {
        let local = LocalStatement::read_unverified(signed)?;
        let told = match (self.request, statement) {
            (Some(request), Some(statement)) => local_check(signed, request, &self.papers.request.text, statement),
            (None, _) => Err(NOT_BELIEVED.to_owned()),
            (Some(_), None) => Err("not believed, because the device's statement is not".to_owned()),
        };
        report.add(
            &Paper { file: LOCAL, list: HOST_KEY, by: &local.device.to_string(), namespace: Namespace::Local, at: local.at },
            signed,
            told,
        );
        report.bound(&sha256_hex(&self.papers.request.text), LOCAL);
        report.commands.push(format!("grep -q 'request-sha256 {}' {LOCAL}", sha256_hex(&self.papers.request.text)));
        Ok(())
    }
}

fn local_check(signed: &Signed, request: &Request, request_text: &str, statement: &DeviceStatement) -> Told {
    let local = LocalStatement::verify(signed, &request.device, &statement.host_key).map_err(|e| e.to_string())?;
    let bound = format!("request-sha256 {}", sha256_hex(request_text));
    let fits = local.act == LocalAct::ApproveConsent
        && local.subject == request.id.to_string()
        && local.detail.split("; ").any(|part| part == bound);
    if !fits {
        return Err("it is not an approval of exactly this request".to_owned());
    }
    Ok(Some(format!("approved on the device, by {}: no carrier signer signed; {}", local.by, local.detail)))
}

/// A value of a text that is not believed, for showing: the person it claims to be from.
fn value_of(text: &str, key: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": ")).unwrap_or_default();
    // It goes into a shell command that somebody may copy.
    line.parse::<PersonName>().map(|name| name.to_string()).unwrap_or_default()
}

fn checks_table(checks: &[Check]) -> Table {
    let row = |check: &Check| {
        let result = match check.good {
            Some(true) => Cell::toned("good", Tone::Good),
            Some(false) => Cell::toned("BAD", Tone::Bad),
            None => Cell::toned("not checked", Tone::Warn),
        };
        [text(&check.what), result, text(&check.by), text(&check.key), text(&check.text)]
    };
    Table::new(["what", "result", "signed by", "key", "says"], checks.iter().map(row))
}
