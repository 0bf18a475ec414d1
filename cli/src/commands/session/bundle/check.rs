//! Is a bundle true? The questions of `verify.sh`, in the same order, answered by the rules that devices go by.
//!
//! The first thing that does not hold ends the check, and is named: what comes after it proves nothing any more. Papers are judged
//! at the time when they counted: lists and the device's statement when the session began, a consent when it was signed.

use jiff::Timestamp;
use lineman_common::name::PersonName;
use lineman_common::recording::{Bind, Chain, Flow, Piece, What};
use lineman_common::session::{EndReason, Grade};
use lineman_common::statement::device::openssh;
use lineman_common::statement::{
    Anchors, CarrierSigners, Consent, DeviceStatement, KeyClass, LocalAct, LocalStatement, Namespace, Request, Roster, Signed, SignerList,
    Standing, sha256_hex, sig,
};
use serde::Serialize;
use ssh_key::PublicKey;

use super::files::Files;
use super::{ANCHORS, CHUNKS, DEVICE, Grant, MOST_PAPERS, RECORDERS, RECORDING, REQUEST, ROSTER, chunk_file, recorders, write};
use crate::exit::{Exit, Failure};

/// The two lists that the verifier brings.
pub struct Roots {
    pub vendor_root: SignerList,
    /// The carrier's signer list. Without it the vendor's anchors say who may vouch for a device, and nothing says who may consent.
    pub signers: Option<String>,
}

/// The outcome for one paper.
#[derive(Clone, Debug, Serialize)]
pub struct Paper {
    pub what: String,
    /// `None`: the signature is sound, but nothing here says whose key it is.
    pub good: Option<bool>,
    pub by: String,
    pub key: String,
    pub text: String,
}

/// A bundle that holds.
pub struct Proof {
    pub chain: Chain,
    pub bind: Bind,
    pub end: EndReason,
    pub host_key: PublicKey,
    pub believed: String,
    pub content: Content,
    pub papers: Vec<Paper>,
}

/// What is to be said about the recording besides that it holds.
#[derive(Default)]
pub struct Content {
    pub only_counted: Vec<(u32, Flow)>,
    /// What the device remarked: how the session was contained, what it warned of.
    pub notes: Vec<String>,
}

/// A device may remark what it likes; so many are kept.
const MOST_NOTES: usize = 32;

fn wrong(what: impl Into<String>) -> Failure {
    Failure::new(Exit::CheckFailed, what)
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(wrong(why())) }
}

pub fn check(files: &Files, roots: &Roots) -> Result<Proof, Failure> {
    let first = piece(files, 0, None)?;
    let bind = first.header.bind.clone().ok_or_else(|| wrong("chunk 0: it does not bind the session to a consent and keys"))?;
    let mut papers = Vec::new();
    let statement = device(files, roots, &bind, &mut papers)?;
    let believed = format!("{} vouches for {}", statement.vouched_by, statement.device);
    let (chain, end, content) = chunks(files, &statement.host_key)?;
    let mut way_in = WayIn { files, roots, bind: &bind, statement: &statement, papers };
    let (request, roster) = way_in.request()?;
    way_in.grants(&request, &roster)?;
    let papers = way_in.papers;
    Ok(Proof { chain, bind, end, host_key: statement.host_key, believed, content, papers })
}

/// Whose device it is, by the carrier's list or by the vendor's anchors.
fn device(files: &Files, roots: &Roots, bind: &Bind, papers: &mut Vec<Paper>) -> Result<DeviceStatement, Failure> {
    let at = bind.started;
    let vouchers = if let Some(signers) = &roots.signers {
        CarrierSigners::parse(signers, &bind.device.customer)?.list().clone()
    } else {
        let signed = files.signed(ANCHORS)?;
        let anchors = Anchors::verify(&signed, &bind.device.customer, &roots.vendor_root, at)?;
        papers.push(paper(ANCHORS, "vendor-root", Namespace::Anchors, &signed, "who may vouch for devices".into()));
        anchors.list().clone()
    };
    let signed = files.signed(DEVICE)?;
    let statement = DeviceStatement::verify(&signed, &vouchers, at)?;
    ensure(statement.device == bind.device, || format!("{DEVICE}: it is about {}, the recording about {}", statement.device, bind.device))?;
    ensure(files.paper(RECORDERS)? == recorders(&statement.host_key), || {
        format!("{RECORDERS}: it holds another key than the one in the device statement")
    })?;
    let print = statement.host_key_fingerprint();
    ensure(bind.host_key == print || bind.host_key == openssh(&statement.host_key), || "chunk 0: it names another host key".into())?;
    papers.push(paper(DEVICE, statement.vouched_by.as_str(), Namespace::Device, &signed, format!("{} has {print}", statement.device)));
    Ok(statement)
}

/// Reads a chunk; with a key its signature counts.
fn piece(files: &Files, number: u64, host_key: Option<&PublicKey>) -> Result<Piece, Failure> {
    let chunk = files.chunk(number)?;
    // JSON escapes them, so a device has no reason to write one; tools that show the file would act on it.
    ensure(!chunk.text.chars().any(|c| c < ' ' && c != '\n'), || format!("chunk {number}: it holds control characters"))?;
    Piece::read(&write::line(&chunk)?, number, host_key).map_err(|broken| wrong(broken.to_string()))
}

type Chunks = (Chain, EndReason, Content);

/// Every chunk: signed by the device, in its place, following from the one before; and the recording is nothing else.
fn chunks(files: &Files, host_key: &PublicKey) -> Result<Chunks, Failure> {
    let broken = |broken: lineman_common::recording::Broken| wrong(broken.to_string());
    let first = piece(files, 0, Some(host_key))?;
    let mut chain = Chain::begin(&first).map_err(broken)?;
    let mut content = Content::default();
    content.take(&first);
    while files.has(&chunk_file(chain.chunks)) {
        let next = piece(files, chain.chunks, Some(host_key))?;
        chain.follow(&next).map_err(broken)?;
        content.take(&next);
    }
    let in_folder = files.names().filter(|name| name.strip_prefix(CHUNKS).is_some_and(|rest| rest.starts_with('/'))).count() as u64;
    ensure(in_folder == 2 * chain.chunks, || format!("chunk {}: it is missing, or {CHUNKS}/ holds what is not a chunk", chain.chunks))?;
    let last = chain.chunks - 1;
    let end = chain.end.ok_or_else(|| wrong(format!("chunk {last}: it is the last one and no end record: the recording is truncated")))?;
    let mut recording = files.recording_reader()?;
    for number in 0..chain.chunks {
        let line = write::line(&files.chunk(number)?)?;
        ensure(recording.goes_on_with(line.as_bytes()), || format!("{RECORDING}: its line {} is not chunk {number}", number + 1))?;
    }
    ensure(recording.is_at_end(), || format!("{RECORDING}: something follows the last chunk"))?;
    Ok((chain, end, content))
}

impl Content {
    fn take(&mut self, piece: &Piece) {
        for event in &piece.events {
            match &event.what {
                What::Truncated(flow) => self.only_counted.push((event.channel, *flow)),
                What::Note(note) if self.notes.len() < MOST_NOTES => self.notes.push(note.clone()),
                What::Open(_)
                | What::Bytes(..)
                | What::Resize { .. }
                | What::Sftp(_)
                | What::Total { .. }
                | What::Exit { .. }
                | What::Note(_)
                | What::Other(..) => {}
            }
        }
    }
}

fn paper(what: &str, by: &str, namespace: Namespace, signed: &Signed, text: String) -> Paper {
    let key = signed.signing_key("paper", namespace).map(|key| sig::fingerprint(&key).to_string()).unwrap_or_default();
    Paper { what: what.to_owned(), good: Some(true), by: by.to_owned(), key, text }
}

/// Who signed a grant.
struct Hand {
    name: PersonName,
    key: String,
}

/// How the engineer came in: by a request, and by what let it in.
struct WayIn<'a> {
    files: &'a Files,
    roots: &'a Roots,
    bind: &'a Bind,
    statement: &'a DeviceStatement,
    papers: Vec<Paper>,
}

impl WayIn<'_> {
    fn request(&mut self) -> Result<(Request, Roster), Failure> {
        let Self { files, bind, .. } = self;
        let signed = files.signed(REQUEST)?;
        ensure(sha256_hex(&signed.text) == bind.request_sha256, || format!("{REQUEST}: it is not the one that chunk 0 names"))?;
        let asked = Request::read_unverified(&signed)?.issued;
        let roster_signed = files.signed(ROSTER)?;
        let roster = Roster::verify(&roster_signed, &self.roots.vendor_root, asked)?;
        let request = Request::verify(&signed, &roster, asked)?;
        // A level is a principal of the roster too, but nobody's name.
        ensure(!request.engineer.as_str().starts_with("level-"), || format!("{REQUEST}: `{}` is a level, not a person", request.engineer))?;
        let print = self.statement.host_key_fingerprint();
        let same = [
            (request.id == bind.consent, "id"),
            (request.device == bind.device, "device"),
            (request.host_key == print, "host key"),
            (request.engineer == bind.engineer, "engineer"),
            (request.grade == bind.grade, "grade"),
        ];
        if let Some((_, what)) = same.into_iter().find(|(same, _)| !same) {
            return Err(wrong(format!("{REQUEST}: its {what} is not that of chunk 0")));
        }
        ensure(self.went_in(&request, &roster), || "chunk 0: another key went in than the one that asked".into())?;
        let counter = format!("number {}", roster.head.counter);
        self.papers.push(paper(ROSTER, "vendor-root", Namespace::Roster, &roster_signed, counter));
        let asked_for = format!("{} for {} s, grade {}", request.doors, request.duration_s, request.grade);
        self.papers.push(paper(REQUEST, request.engineer.as_str(), Namespace::Request, &signed, asked_for));
        Ok((request, roster))
    }

    /// Was it the engineer's own key that went in? Through the gateway it is one of the gateway's that the device sees.
    fn went_in(&self, request: &Request, roster: &Roster) -> bool {
        let entered = &self.bind.engineer_key;
        let own = PublicKey::from_openssh(entered).map_or_else(|_| entered.clone(), |key| sig::fingerprint(&key).to_string());
        let gateway = || self.bind.grade == Grade::Gateway && roster.gateway_keys().any(|key| openssh(key) == *entered);
        own == request.engineer_key || gateway()
    }

    /// Each paper is one that chunk 0 names, and each that it names is there.
    fn grants(&mut self, request: &Request, roster: &Roster) -> Result<(), Failure> {
        let bound = &self.bind.consents_sha256;
        ensure(!bound.is_empty(), || "chunk 0: it names nothing that let the engineer in".into())?;
        let signers = self.roots.signers.as_ref().map(|text| CarrierSigners::parse(text, &self.bind.device.customer)).transpose()?;
        let request_text = self.files.paper(REQUEST)?;
        let mut hands: Vec<Hand> = Vec::new();
        let mut found = 0;
        let all = Grant::ALL.into_iter().flat_map(|grant| (1..=MOST_PAPERS).map(move |number| (grant, grant.file(number))));
        for (grant, name) in all {
            if !self.files.has(&name) {
                continue;
            }
            let signed = self.files.signed(&name)?;
            ensure(bound.contains(&sha256_hex(&signed.text)), || format!("{name}: it is not one that chunk 0 names"))?;
            found += 1;
            let grant = match grant {
                Grant::Consent => consent(&signed, request, &request_text, signers.as_ref()),
                Grant::Standing => standing(&signed, request, roster, signers.as_ref()),
                Grant::Local => self.local(&signed, &request_text),
            };
            let (hand, mut paper) = grant.map_err(|failure| Failure { what: format!("{name}: {failure}"), ..failure })?;
            if let Some(hand) = hand {
                let again = hands.iter().any(|other| other.name == hand.name || other.key == hand.key);
                ensure(!again, || format!("{name}: {}, or the key, signed twice", hand.name))?;
                hands.push(hand);
            }
            paper.what = name;
            self.papers.push(paper);
        }
        ensure(found == bound.len(), || "a consent that chunk 0 names is missing".into())
    }

    fn local(&self, signed: &Signed, request_text: &str) -> Result<(Option<Hand>, Paper), Failure> {
        let local = LocalStatement::verify(signed, &self.bind.device, &self.statement.host_key)?;
        let this = format!("request-sha256 {}", sha256_hex(request_text));
        let detail = local.detail.split(';').next().unwrap_or_default().trim();
        let fits = local.act == LocalAct::ApproveConsent && local.subject == self.bind.consent.to_string() && detail == this;
        ensure(fits, || "it approves something else".into())?;
        let text = format!("approved on the device itself by {}, without a signature of the carrier", local.by);
        Ok((None, paper("", "root on the device", Namespace::Local, signed, text)))
    }
}

/// A consent or standing statement: the carrier's signature counts when the carrier's list is at hand.
fn carrier(signed: &Signed, namespace: Namespace, by: &PersonName, known: bool, text: String) -> Result<(Option<Hand>, Paper), Failure> {
    let key = signed.signing_key("paper", namespace)?;
    let hand = Hand { name: by.clone(), key: sig::fingerprint(&key).to_string() };
    let said = paper("", by.as_str(), namespace, signed, text);
    if known {
        return Ok((Some(hand), said));
    }
    let text = format!("{}; the signature is sound, but no signers file is here to say whose key it is", said.text);
    Ok((Some(hand), Paper { good: None, text, ..said }))
}

fn consent(
    signed: &Signed,
    request: &Request,
    request_text: &str,
    signers: Option<&CarrierSigners>,
) -> Result<(Option<Hand>, Paper), Failure> {
    let consent = Consent::read_unverified(signed)?;
    let class = if let Some(signers) = signers {
        Consent::verify(signed, request, request_text, signers, consent.issued)?.1
    } else {
        consent.check_fits(request, request_text)?;
        KeyClass::claimed(signed)?
    };
    let text = class.remarked(&format!("{} for {} s", consent.doors, consent.duration_s));
    carrier(signed, class.namespace(), &consent.approver, signers.is_some(), text)
}

fn standing(
    signed: &Signed,
    request: &Request,
    roster: &Roster,
    signers: Option<&CarrierSigners>,
) -> Result<(Option<Hand>, Paper), Failure> {
    let standing = Standing::read_unverified(signed)?;
    match signers {
        Some(signers) => drop(Standing::verify(signed, signers, request.issued)?),
        None => ended(&standing, request.issued)?,
    }
    standing.check_covers(request, roster)?;
    let text = format!("{} on {}, level {} and up, until {}", standing.doors, standing.devices, standing.level, standing.valid_before);
    carrier(signed, Namespace::Standing, &standing.approver, signers.is_some(), text)
}

fn ended(standing: &Standing, at: Timestamp) -> Result<(), Failure> {
    ensure(at < standing.valid_before, || format!("the standing statement ended at {}", standing.valid_before))
}
