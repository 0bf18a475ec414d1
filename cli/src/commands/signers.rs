//! `lineman signers`: the carrier's own list of who may sign what, and which devices hold it.
//!
//! The list lives on the devices and on the carrier's machines. It changes only by the signature of a `signers@lineman` key of the
//! list before it, by two where the devices' policy says so; the centre passes it on, and every device says in a signed receipt which
//! list it holds. So a list that somebody keeps back is noticed: `signers status` ends with exit code 8.

mod status;

pub use status::own_customer;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use lineman_common::name::CustomerCode;
use lineman_common::printable::escape;
use lineman_common::statement::{CarrierSigners, Namespace, Signed, SignerList, sig};

use super::App;
use super::consent::{Own, duration_arg};
use crate::consents::{now, principal};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Table, Tone, text, write_out};

/// Your signer list: check it, sign it, publish it, see which devices hold it
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman signers new --customer JW > signers-2
  lineman signers sign signers-2 --key ~/.ssh/signers
  lineman signers publish signers-2
  lineman signers status")]
pub enum Command {
    /// Print a new list to fill in: the right head lines, and the lines of the list that is pinned here
    #[command(after_help = "Examples:
  lineman signers new --customer JW > signers-2
  lineman signers new --customer JW --life 180d > signers-2")]
    New {
        #[arg(long, value_name = "CODE")]
        customer: CustomerCode,
        /// How long it is good for
        #[arg(long, value_name = "DURATION", default_value = "365d", value_parser = duration_arg)]
        life: u32,
        #[command(flatten)]
        own: Own,
    },
    /// Read a list as a device will, and say what is unusual about it; exit code 8 when a device would not take it
    #[command(after_help = "Examples:\n  lineman signers check signers-2")]
    Check {
        file: PathBuf,
        #[command(flatten)]
        own: Own,
    },
    Sign(Sign),
    Publish(Publish),
    Status(status::Status),
}

/// Sign a list with a signers@lineman key; the signature goes into FILE.sig
///
/// Where the devices want two people, the second runs the same command with their own key: their signature goes into FILE.2.sig.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman signers sign signers-2 --key ~/.ssh/signers
  lineman signers sign signers-2 --key ~/.ssh/signers --yes")]
pub struct Sign {
    file: PathBuf,
    #[command(flatten)]
    own: Own,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

/// Send a signed list to the devices, through the centre
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman signers publish signers-2
  lineman signers publish signers-2 --sig signers-2.sig --sig from-b.sig")]
pub struct Publish {
    file: PathBuf,
    /// Signatures [default: FILE.sig, and FILE.2.sig if it is there]
    #[arg(long = "sig", value_name = "FILE")]
    signatures: Vec<PathBuf>,
    #[command(flatten)]
    own: Own,
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        match self {
            Self::New { customer, life, own } => write_out(&template(&customer, life, pinned(app, &own, &customer).as_ref())?)?,
            Self::Check { file, own } => return check(app, &file, &own),
            Self::Sign(sign) => sign.run(app)?,
            Self::Publish(publish) => publish.run(app).await?,
            Self::Status(status) => return status.run(app).await,
        }
        Ok(Exit::Done)
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|e| Failure::failed(format!("can't read {}: {e}", path.display())))
}

/// `FILE.sig` for the first person, `FILE.2.sig` for the second.
fn signature_file(file: &Path, person: usize) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(if person == 0 { ".sig".to_owned() } else { format!(".{}.sig", person + 1) });
    name.into()
}

/// More signatures than this no policy asks for.
const MOST_SIGNATURES: usize = 4;

/// The list that is pinned on this machine, with its text.
struct Pinned {
    text: String,
    list: CarrierSigners,
}

fn pinned(app: &App, own: &Own, customer: &CustomerCode) -> Option<Pinned> {
    let path = match &own.signers {
        Some(path) => path.clone(),
        None => app.trust_folder().ok()?.join("signers"),
    };
    let text = std::fs::read_to_string(path).ok()?;
    let list = CarrierSigners::parse(&text, customer).ok()?;
    Some(Pinned { text, list })
}

fn template(customer: &CustomerCode, life_s: u32, before: Option<&Pinned>) -> Result<String, Failure> {
    let issued = now();
    let expiry =
        issued.checked_add(SignedDuration::from_secs(i64::from(life_s))).map_err(|_| Failure::usage("a list can't live that long"))?;
    let counter = before.map_or(1, |before| before.list.counter() + 1);
    let mut text = format!(
        "# lineman-list: signers {customer}\n# counter: {counter}\n# issued: {issued}\n# expiry: {expiry}\n\
         #\n\
         # One line for each key: NAME namespaces=\"WHAT,...\"[,valid-before=\"YYYYMMDDZ\"] KEY\n\
         # NAME is the person's name at the support centre. WHAT it may sign:\n\
         #   consent@lineman    a consent: lets an engineer in, once\n\
         #   consent-browser@lineman   the same with a key in a page that the vendor serves; counts only where a\n\
         #                             device's owner allows it (`browser_keys`)\n\
         #   standing@lineman   a standing statement: lets engineers in without being asked each time\n\
         #   device@lineman     a technician, for a device's identity\n\
         #   signers@lineman    the next list; keep this key offline, and have two of them\n\
         # An authority instead of a key: NAME cert-authority,namespaces=\"consent@lineman\" KEY\n\
         # Ed25519, ECDSA and FIDO keys; RSA keys are not accepted.\n\
         #\n"
    );
    let lines = before.map(|before| before.text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty()));
    match lines {
        Some(lines) => text.extend(lines.map(|line| format!("{line}\n"))),
        None => text.push_str(
            "# approver-a namespaces=\"consent@lineman,standing@lineman\" ssh-ed25519 AAAA...\n\
             # tech-a namespaces=\"device@lineman\" ssh-ed25519 AAAA...\n\
             # security-a namespaces=\"signers@lineman\" ssh-ed25519 AAAA...\n",
        ),
    }
    Ok(text)
}

/// A list file, with the customer that it says it is for.
fn parse(file: &Path) -> Result<(String, CustomerCode, CarrierSigners), Failure> {
    let text = read(file)?;
    let list = SignerList::parse("signer list", &text)?;
    let kind = list.head.map(|head| head.kind).ok_or_else(|| {
        Failure::new(Exit::CheckFailed, format!("{} has no head", file.display()))
            .hint("`lineman signers new` prints a list with the right head lines")
    })?;
    let code = kind.strip_prefix("signers ").and_then(|code| code.parse::<CustomerCode>().ok()).ok_or_else(|| {
        Failure::new(Exit::CheckFailed, format!("{} is a `{}`, not a signer list", file.display(), escape(&kind)))
            .hint("its first line must be `# lineman-list: signers CODE`")
    })?;
    let list = CarrierSigners::parse(&text, &code)?;
    Ok((text, code, list))
}

fn check(app: &App, file: &Path, own: &Own) -> Outcome {
    let (_, customer, list) = parse(file)?;
    let at = now();
    app.out.list(&rows(&list), |rows| rows_table(rows, at))?;
    if let Some(head) = &list.list().head {
        app.say(format!("signers {customer}, number {}, expires {}", head.counter, app.out.moment(head.expiry)));
    }
    let before = pinned(app, own, &customer);
    let (problems, notes) = judge(&list, before.as_ref().map(|before| &before.list), at);
    for note in &notes {
        app.say(format!("note: {note}"));
    }
    for problem in &problems {
        app.say(format!("BAD: {problem}"));
    }
    if problems.is_empty() {
        app.say("a device can take it");
        return Ok(Exit::Done);
    }
    Ok(Exit::CheckFailed)
}

/// One line of a list, for showing.
#[derive(serde::Serialize)]
struct Row {
    who: String,
    may_sign: String,
    authority: bool,
    key: String,
    algorithm: String,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
}

fn rows(list: &CarrierSigners) -> Vec<Row> {
    let row = |line: &lineman_common::statement::list::SignerLine| Row {
        who: line.principals.join(","),
        may_sign: line.namespaces.join(","),
        authority: line.cert_authority,
        key: sig::fingerprint(&line.key).to_string(),
        algorithm: line.key.algorithm().to_string(),
        valid_after: line.valid_after,
        valid_before: line.valid_before,
    };
    list.list().lines.iter().map(row).collect()
}

fn rows_table(rows: &[Row], at: Timestamp) -> Table {
    let row = |row: &Row| {
        let over = row.valid_before.is_some_and(|before| at >= before);
        let who = if row.authority { format!("{} (authority)", row.who) } else { row.who.clone() };
        [
            if over { Cell::toned(who, Tone::Dim) } else { text(who) },
            text(&row.may_sign),
            text(&row.algorithm),
            text(&row.key),
            Cell::Time(row.valid_after),
            Cell::Time(row.valid_before),
        ]
    };
    Table::new(["who", "may sign", "kind", "key", "valid after", "valid before"], rows.iter().map(row))
}

/// What would keep a device from taking a list, and what its owner may have overlooked.
fn judge(list: &CarrierSigners, before: Option<&CarrierSigners>, at: Timestamp) -> (Vec<String>, Vec<String>) {
    let (mut problems, mut notes) = (Vec::new(), Vec::new());
    if let Err(refused) = list.list().check_expiry(at) {
        problems.push(refused.to_string());
    }
    if let Some(before) = before.filter(|before| before.list().sha256 != list.list().sha256 && before.counter() >= list.counter()) {
        problems.push(format!("number {} is not above number {}, which is pinned here", list.counter(), before.counter()));
    }
    let counts = |namespace: Namespace| {
        let lines = list.list().lines.iter().filter(|line| line.namespaces.iter().any(|n| n == namespace.as_str()));
        lines.filter(|line| line.valid_before.is_none_or(|before| at < before)).count()
    };
    let signers = list.list().keys_for(Namespace::Signers).count();
    if signers == 0 {
        problems.push(format!("nobody in it may sign for {}: it could never be changed again", Namespace::Signers));
    }
    if signers == 1 {
        notes.push(format!("one key may change the list ({}): if it is lost, every device has to be visited", Namespace::Signers));
    }
    for (namespace, what) in [
        (Namespace::Consent, "approve a request"),
        (Namespace::Device, "vouch for a device"),
        (Namespace::Standing, "give a standing consent"),
    ] {
        if counts(namespace) == 0 {
            notes.push(format!("nobody in it may {what} ({namespace})"));
        }
    }
    let pages = list.list().lines.iter().filter(|line| line.namespaces.iter().any(|n| n == Namespace::ConsentBrowser.as_str()));
    for line in pages {
        let (who, namespace) = (line.principals.join(","), Namespace::ConsentBrowser);
        notes.push(format!("{who} may approve in a page served by the vendor ({namespace}): only devices whose owner allows it take that"));
    }
    for line in list.list().lines.iter().filter(|line| line.valid_before.is_some_and(|before| at >= before)) {
        notes.push(format!("the line of {} is not valid any more", line.principals.join(",")));
    }
    if let Some(crate::consents::findings::Finding::SignersExpire { at }) = crate::consents::held::expiry(list, at) {
        notes.push(format!("it expires soon, at {at}"));
    }
    (problems, notes)
}

impl Sign {
    fn run(self, app: &App) -> Result<(), Failure> {
        let (list_text, customer, list) = parse(&self.file)?;
        let at = now();
        let before = pinned(app, &self.own, &customer).ok_or_else(|| {
            Failure::usage("no signer list is pinned here: which one is to be replaced?").hint("name it with --signers FILE")
        })?;
        let signer = self.own.signer(app)?;
        let name = principal(&before.list, &signer, Namespace::Signers, None, at)?;
        let earlier = signatures(&self.file, &list_text)?;
        for signed in &earlier {
            if signed.signing_key("signer list", Namespace::Signers)?.key_data() == signer.public.key_data() {
                return Err(
                    Failure::new(Exit::Conflict, format!("{name} has signed it already")).hint("another person signs with another key")
                );
            }
        }
        let (problems, _) = judge(&list, Some(&before.list), at);
        if let Some(problem) = problems.first() {
            return Err(Failure::new(Exit::CheckFailed, problem.clone()).hint(format!("lineman signers check {}", self.file.display())));
        }
        app.say(format!("{name} signs, in place of number {}:", before.list.counter()));
        app.say(super::consent::block(&list_text));
        self.own.ask("sign this list", self.yes)?;
        let signed = signer.sign(Namespace::Signers, list_text)?;
        let mut all = earlier;
        all.push(signed.clone());
        let needed = u8::try_from(all.len()).unwrap_or(u8::MAX);
        before.list.replaced_by(&all, &customer, needed, at)?;
        let path = signature_file(&self.file, all.len() - 1);
        std::fs::write(&path, &signed.signature).map_err(|e| Failure::failed(format!("can't write {}: {e}", path.display())))?;
        app.say(format!("signed: {}. next: lineman signers publish {}", path.display(), self.file.display()));
        Ok(())
    }
}

/// The signatures that lie beside a list.
fn signatures(file: &Path, text: &str) -> Result<Vec<Signed>, Failure> {
    let files = (0..MOST_SIGNATURES).map(|person| signature_file(file, person)).take_while(|path| path.is_file());
    files.map(|path| Ok(Signed { text: text.to_owned(), signature: read(&path)? })).collect()
}

impl Publish {
    async fn run(self, app: &App) -> Result<(), Failure> {
        let (list_text, customer, list) = parse(&self.file)?;
        let signed = if self.signatures.is_empty() {
            signatures(&self.file, &list_text)?
        } else {
            let one = |path: &PathBuf| Ok(Signed { text: list_text.clone(), signature: read(path)? });
            self.signatures.iter().map(one).collect::<Result<Vec<_>, Failure>>()?
        };
        if signed.is_empty() {
            return Err(Failure::usage(format!("{} is not signed", self.file.display()))
                .hint(format!("lineman signers sign {} --key KEY", self.file.display())));
        }
        for signed in &signed {
            signed.signing_key("signer list", Namespace::Signers)?;
        }
        match pinned(app, &self.own, &customer) {
            // A list that is pinned here already may be published again: a device may have missed it.
            Some(before) if before.list.list().sha256 == list.list().sha256 => {}
            Some(before) => drop(before.list.replaced_by(&signed, &customer, 1, now())?),
            None => app.say("note: no signer list is pinned here, so the signatures can't be checked before the devices do"),
        }
        app.client()?.put_signers(customer.as_str(), signed).await?;
        app.say(format!("list {} of {customer} is on its way to the devices: lineman signers status {customer}", list.counter()));
        app.say(format!("pin it on your own machines, too: copy {} over `signers` in the trust directory", self.file.display()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[test]
    fn a_template_is_a_list_that_reads() {
        let world = World::new();
        let text = template(&world.customer, 86_400, None).unwrap();
        assert_eq!(CarrierSigners::parse(&text, &world.customer).unwrap().counter(), 1);
        let list = CarrierSigners::parse(&world.signers(), &world.customer).unwrap();
        let before = Pinned { text: world.signers(), list };
        let next = CarrierSigners::parse(&template(&world.customer, 86_400, Some(&before)).unwrap(), &world.customer).unwrap();
        assert_eq!(next.counter(), before.list.counter() + 1);
        assert_eq!(next.list().lines.len(), before.list.list().lines.len());
    }

    #[test]
    fn a_key_of_a_page_is_pointed_out() {
        let world = World::new();
        let page = world.signers().lines().find(|line| line.contains("consent@lineman")).unwrap().replace("consent@", "consent-browser@");
        let list = CarrierSigners::parse(&(world.signers() + &page + "\n"), &world.customer).unwrap();
        let (problems, notes) = judge(&list, None, now());
        assert!(problems.is_empty() && notes.iter().any(|note| note.contains("in a page served by the vendor")), "{notes:?}");
    }

    #[test]
    fn what_a_device_would_not_take_is_said() {
        let world = World::new();
        let at = now();
        let good = CarrierSigners::parse(&world.signers(), &world.customer).unwrap();
        assert_eq!(judge(&good, None, at).0, Vec::<String>::new());
        let nobody =
            world.signers().lines().filter(|line| !line.contains("signers@lineman")).fold(String::new(), |text, line| text + line + "\n");
        let (problems, _) = judge(&CarrierSigners::parse(&nobody, &world.customer).unwrap(), None, at);
        assert!(problems[0].contains("never be changed again"), "{problems:?}");
        let changed = CarrierSigners::parse(&(world.signers() + "# a note\n"), &world.customer).unwrap();
        let (problems, _) = judge(&changed, Some(&good), at);
        assert!(problems[0].contains("is not above number 1"), "{problems:?}");
    }
}
