//! The hostile centre, with all its keys and its database.

use std::fs;
use std::path::Path;

use lineman_common::id::{ConsentId, SessionId};
use lineman_common::link::{Answer, Order};
use lineman_common::session::{EndReason, Grade};
use lineman_common::statement::{Consent, KeyClass, Namespace, Request, Signed, sha256_hex, sig};
use lineman_tests::{Demo, HostileCentre, bin, eventually, run};
use serde_json::json;
use ssh_key::{Algorithm, PrivateKey};

use super::{OPEN, PLAIN, fault, key, papers, private_keys, refuses, signed, ssh_to, terms, view};

fn new_key() -> PrivateKey {
    PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519).expect("a key")
}

fn fingerprint(key: &PrivateKey) -> String {
    sig::fingerprint(key.public_key()).to_string()
}

fn challenge(centre: &HostileCentre, device: &str, consent: ConsentId) -> String {
    let answer = centre.done(device, &Order::Challenge { consent });
    let Answer::Challenge { challenge, .. } = answer else { panic!("no challenge: {answer:?}") };
    challenge
}

/// Without the carrier nobody enters, whatever the centre signs with whatever it holds; and with a consent nobody but its engineer.
pub fn with_all_its_keys_and_its_database_it_enters_nowhere() {
    let demo = Demo::up(4);
    let number = fault(&demo, PLAIN);
    let consent = demo.consented(&number, "exec", "1h");
    let real = view(&demo, &consent);
    let (request, consents) = papers(&real);
    // A consent to the engineer that is not live any more.
    let over = demo.consented(&fault(&demo, PLAIN), "exec", "1h");
    demo.person("noc-jw").args(["consent", "revoke", &over, "--reason", "done", "--yes"]).output().ok();
    let (old_request, old_consents) = papers(&view(&demo, &over));

    let centre = HostileCentre::take_over(&demo);
    let scratch = demo.scratch("stolen");
    let stolen = private_keys(&demo.dir().join("server"), &scratch);
    assert!(stolen.len() >= 2, "the authority's and the gateway's key are among {stolen:?}");

    // No key of the centre is named by the consent: the device does not even dial.
    for path in &stolen {
        let Ok(key) = PrivateKey::read_openssh_file(path) else { continue };
        let refused = centre.leg(PLAIN, &fingerprint(&key), None).expect_err("a leg for the centre's own key");
        assert!(refused.contains("no live consent"), "{refused}");
        centre.leg(PLAIN, &fingerprint(&key), Some(terms(&request).id)).expect_err("a leg for the centre's own key, with the consent's id");
    }
    // It lies about who comes, and gets its leg; then every key that it holds fails at the door.
    let engineer = terms(&request).engineer_key;
    for path in &stolen {
        let port = centre.leg(PLAIN, &engineer, None).expect("a leg for the engineer");
        let out = ssh_to(port, path, &terms(&request).id.to_string(), &["echo entered"]);
        assert!(out.code == Some(255) && !out.stdout.contains("entered"), "{out:?}");
    }
    // The engineer's own key does open that very leg: the refusals above meant something.
    let port = centre.leg(PLAIN, &engineer, None).expect("a leg for the engineer");
    let out = ssh_to(port, Path::new(demo.engineer_key()), "x", &["echo entered"]);
    assert!(out.code == Some(0) && out.stdout.contains("entered"), "{out:?}");

    // It makes papers of its own: an engineer that no roster knows, a roster that it signs itself, a consent that it signs itself.
    let mallory = new_key();
    let id = ConsentId::new();
    let forged = Request {
        id,
        engineer_key: fingerprint(&mallory),
        challenge: challenge(&centre, PLAIN, id),
        issued: jiff::Timestamp::now(),
        ..terms(&request)
    };
    let sign = |key: &PrivateKey, namespace, text: String| Signed::sign(key, namespace, text).expect("a signature");
    let by_mallory = sign(&mallory, Namespace::Request, forged.write().expect("a request"));
    let self_signed = Consent {
        id,
        request_sha256: sha256_hex(&by_mallory.text),
        issued: jiff::Timestamp::now(),
        ..Consent::read_unverified(&consents[0]).expect("a consent")
    };
    let self_signed = sign(&mallory, Namespace::Consent, self_signed.write().expect("a consent"));
    let order = Order::Consent { request: by_mallory.clone(), consents: vec![self_signed] };
    refuses(&centre, PLAIN, &order, "not listed");
    let server_dir = demo.dir().join("server");
    for path in private_keys(&server_dir, &scratch) {
        let Ok(key) = PrivateKey::read_openssh_file(&path) else { continue };
        let line = format!("engineer-a,level-9 namespaces=\"request@lineman\" {}\n", mallory.public_key().to_openssh().expect("a key"));
        let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).expect("now");
        let head =
            format!("# lineman-list: roster\n# counter: 99\n# issued: {now}\n# expiry: {}\n", now + jiff::SignedDuration::from_hours(24));
        let roster = sign(&key, Namespace::Roster, head + &line);
        refuses(&centre, PLAIN, &Order::Roster { signed: roster }, "not listed");
    }

    // Old papers: the ended consent again, also under a new id that its signature does not cover.
    refuses(&centre, PLAIN, &Order::Consent { request: old_request.clone(), consents: old_consents.clone() }, "can't be used again");
    let renamed = Signed { text: old_request.text.replace(&terms(&old_request).id.to_string(), &id.to_string()), ..old_request };
    refuses(&centre, PLAIN, &Order::Consent { request: renamed, consents: old_consents }, "signature");
    // A consent for one device at another, and under another grade.
    refuses(&centre, OPEN, &Order::Consent { request: request.clone(), consents: consents.clone() }, PLAIN);
    let regraded = Signed { text: request.text.replace("grade: end-to-end", "grade: gateway"), ..request.clone() };
    refuses(&centre, OPEN, &Order::Consent { request: regraded, consents }, "signature");

    // It changes neither who may sign nor what a check runs.
    let list = fs::read_to_string(Path::new(&demo.of_person("approver-jw", "trust")).join("signers")).expect("the signers");
    let grown = list.replace("# counter: 1", "# counter: 2")
        + &format!("mallory namespaces=\"consent@lineman\" {}\n", mallory.public_key().to_openssh().expect("a key"));
    for key in [&mallory, &key(demo.engineer_key()), &key(demo.consent_key())] {
        let order = Order::Signers { signed: vec![sign(key, Namespace::Signers, grown.clone())] };
        refuses(&centre, PLAIN, &order, "not listed");
    }
    refuses(&centre, PLAIN, &Order::RunCheck { name: "sh -c id".into() }, "check");
}

/// A live consent says what may be done; the centre can't make it say more, for itself or for the engineer.
pub fn it_can_not_widen_a_consent() {
    let demo = Demo::up(4);
    let consent = demo.consented(&fault(&demo, PLAIN), "exec", "1h");
    let (request, consents) = papers(&view(&demo, &consent));
    let centre = HostileCentre::take_over(&demo);
    let approver = key(demo.consent_key());
    // Other doors, more time, another account: each breaks a signature; and the carrier's own signature over more than was asked fits nothing.
    for (from, to) in
        [("doors: exec", "doors: shell,exec"), ("duration-s: 3600", "duration-s: 36000"), ("account: view", "account: operate")]
    {
        let wider = Signed { text: request.text.replace(from, to), ..request.clone() };
        assert_ne!(wider.text, request.text, "{from}");
        let reason = centre.refused(PLAIN, &Order::Consent { request: wider, consents: consents.clone() });
        assert!(reason.contains("live already") || reason.contains("signature"), "{reason}");
    }
    let wider = Consent { doors: "shell,exec".parse().expect("doors"), ..Consent::read_unverified(&consents[0]).expect("a consent") };
    let wider = Signed::sign(&approver, Namespace::Consent, wider.write().expect("a consent")).expect("a signature");
    let reason = centre.refused(PLAIN, &Order::Consent { request: request.clone(), consents: vec![wider] });
    assert!(reason.contains("live already") || reason.contains("not requested"), "{reason}");
    // The session is as narrow as the carrier signed it, without any gateway in the way.
    let engineer = Path::new(demo.engineer_key());
    for (args, says) in [(&["-tt"][..], "no door `shell`"), (&["-s", "sftp"], "no door `sftp-read`")] {
        let port = centre.leg(PLAIN, &terms(&request).engineer_key, None).expect("a leg");
        let out = ssh_to(port, engineer, "x", args);
        assert!(out.code != Some(0) && (out.stdout.contains(says) || out.stderr.contains(says)), "{args:?}: {out:?}");
    }
    let port = centre.leg(PLAIN, &terms(&request).engineer_key, None).expect("a leg");
    let out = ssh_to(port, engineer, "x", &["-o", "ExitOnForwardFailure=yes", "-W", "127.0.0.1:22"]);
    assert!(out.code != Some(0) && out.stderr.contains("own SSH"), "{out:?}");
}

/// Grade gateway is what it says: the centre's key opens it, for that consent only, and the recording names it.
pub fn in_grade_gateway_it_can_enter_and_only_there() {
    let demo = Demo::up(4);
    let number = fault(&demo, OPEN);
    let ask = ["consent", "request", &number, "--doors", "exec", "--for", "1h", "--grade", "gateway", "-o", "json"];
    let asked = demo.person("engineer-a").args(ask).output().json();
    let asked = asked.as_array().and_then(|list| list.first()).cloned().unwrap_or(asked);
    let id = asked["id"].as_str().expect("an id").to_owned();
    demo.person("approver-jw").args(["consent", "approve", &id, "--key", demo.consent_key()]).output().ok().says("gateway");
    let (request, _) = papers(&view(&demo, &id));
    let plain = demo.consented(&fault(&demo, OPEN), "exec", "1h");

    let centre = HostileCentre::take_over(&demo);
    let gateway = private_keys(&demo.dir().join("server"), &demo.scratch("gateway")).into_iter().find_map(|path| {
        let key = PrivateKey::read_openssh_file(&path).ok()?;
        centre.leg(OPEN, &fingerprint(&key), Some(terms(&request).id)).ok().map(|port| (path, key, port))
    });
    let (path, key, port) = gateway.expect("one of the centre's keys is the gateway's");
    let out = ssh_to(port, &path, &id, &["echo entered"]);
    assert!(out.code == Some(0) && out.stdout.contains("entered"), "that is what the grade means: {out:?}");
    // Not under another consent, and not without naming one.
    centre.leg(OPEN, &fingerprint(&key), None).expect_err("a leg without a consent");
    centre.leg(OPEN, &fingerprint(&key), Some(plain.parse().expect("an id"))).expect_err("a leg for an end-to-end consent");
    let port = centre.leg(OPEN, &fingerprint(&key), Some(terms(&request).id)).expect("a leg");
    let out = ssh_to(port, &path, &plain, &["echo entered"]);
    assert!(out.code == Some(255), "the leg was dialled for one consent, SSH names another: {out:?}");
    // Who was inside is never in doubt.
    let recorded = eventually("the recording names the grade", || {
        let bind = centre.chunks(OPEN).iter().find_map(|line| line.contains("lineman-recording").then(|| line.clone()));
        bind.ok_or_else(|| "no chunk".to_owned())
    });
    assert!(recorded.contains(Grade::Gateway.as_str()), "{recorded}");
}

/// It can keep a revocation back until the consent's time is up. It can't keep the device's own people from ending everything.
pub fn it_can_delay_a_revocation_and_not_the_local_kill() {
    let demo = Demo::up(4);
    let consent = demo.consented(&fault(&demo, PLAIN), "exec", "1h");
    let short = demo.consented(&fault(&demo, OPEN), "exec", "20s");
    let (request, _) = papers(&view(&demo, &consent));
    let (short_request, _) = papers(&view(&demo, &short));
    let centre = HostileCentre::take_over(&demo);
    let engineer = demo.engineer_key().to_owned();
    let enters =
        |device: &str, key: &str| centre.leg(device, key, None).map(|port| ssh_to(port, Path::new(&engineer), "x", &["echo entered"]));

    // The carrier's revocation reached the centre and no further: the engineer gets in still. That is the delay.
    assert!(enters(PLAIN, &terms(&request).engineer_key).expect("a leg").stdout.contains("entered"));
    // On the device it takes one command, and no network.
    let agent = |args: &[&str]| {
        let mut command = std::process::Command::new(bin("lineman-agent"));
        run(command.args(args).arg("--state").arg(demo.agent("ne-1")))
    };
    agent(&["stop", "--reason", "we don't trust the centre"]).ok();
    let refused = enters(PLAIN, &terms(&request).engineer_key).expect_err("a leg on a stopped device");
    assert!(refused.contains("stopped") && refused.contains("we don't trust the centre"), "{refused}");
    // The centre takes back what it stopped itself, and not this.
    centre.order(PLAIN, &Order::Resume { by: "the centre".into() });
    assert!(enters(PLAIN, &terms(&request).engineer_key).is_err());
    agent(&["resume"]).ok();
    assert!(enters(PLAIN, &terms(&request).engineer_key).is_err(), "what a stop ended stays ended");
    // And the time runs out on the device's own clock, whatever the centre does.
    eventually("the short consent is over", || match enters(OPEN, &terms(&short_request).engineer_key) {
        Ok(_) => Err("it still opens".to_owned()),
        Err(reason) => Ok(reason),
    });
}

/// Evidence: the centre can lose what it was given, and not hide that, nor put anything in its place.
pub fn it_can_not_forge_or_quietly_lose_evidence() {
    let demo = Demo::up(2);
    let consent = demo.consented(&fault(&demo, PLAIN), "exec", "1h");
    let (request, _) = papers(&view(&demo, &consent));
    let centre = HostileCentre::take_over(&demo);
    let port = centre.leg(PLAIN, &terms(&request).engineer_key, None).expect("a leg");
    ssh_to(port, Path::new(demo.engineer_key()), "x", &["echo evidence"]).ok();
    let ended = eventually("the end record came", || {
        let chunks = centre.chunks(PLAIN);
        if chunks.iter().any(|line| line.contains("\\\"end\\\":\\\"client\\\"")) { Ok(chunks) } else { Err(format!("{chunks:?}")) }
    });
    // The centre "loses" the session altogether. The device's own journal has its head.
    let journal =
        run(std::process::Command::new(bin("lineman-agent")).args(["sessions", "--ended", "--json", "--state"]).arg(demo.agent("ne-1")))
            .ok()
            .stdout;
    let last: Signed = serde_json::from_str(ended.last().expect("a chunk")).expect("a chunk");
    assert!(journal.contains(&sha256_hex(&last.text)), "the head of the chain is in the device's journal: {journal}");
    // Chunks that another key signed, or that are left out, are found by everyone who has the device's key.
    let host_key = key(demo.agent("ne-1").join("host_key")).public_key().clone();
    lineman_common::recording::verify(&ended.join("\n"), &host_key).expect("the honest recording");
    let mallory = new_key();
    let resigned: Vec<_> = ended
        .iter()
        .map(|line| {
            let chunk: Signed = serde_json::from_str(line).expect("a chunk");
            let text = chunk.text.replace("evidence", "nothing!");
            serde_json::to_string(&Signed::sign(&mallory, Namespace::Recording, text).expect("a signature")).expect("JSON")
        })
        .collect();
    lineman_common::recording::verify(&resigned.join("\n"), &host_key).expect_err("chunks that another key signed");
    let cut = lineman_common::recording::verify(&ended[..ended.len() - 1].join("\n"), &host_key).expect("a shorter chain");
    assert_eq!(cut.end, None, "it shows as truncated");
}

/// What the device keeps back until the centre has said that it is stored: a centre that never says it stops the input.
pub fn a_centre_that_stores_nothing_stops_the_session() {
    let demo = Demo::up_with(2, &[("ne-1", "[recording]\nunacknowledged_s = 2\n")]);
    let consent = demo.consented(&fault(&demo, PLAIN), "exec", "1h");
    let (request, _) = papers(&view(&demo, &consent));
    let centre = HostileCentre::take_over(&demo);
    centre.acknowledge(false);
    let port = centre.leg(PLAIN, &terms(&request).engineer_key, None).expect("a leg");
    // `cat` would end when its input does: the first line passes, what comes later is held until the centre acknowledges.
    let script = demo.scratch("held").join("typed");
    let typing = format!(
        "(echo one; sleep 6; echo two; sleep 1) | ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no \
         -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -i {} -p {port} x@127.0.0.1 'while read line; do echo got-$line; done' > {}",
        demo.engineer_key(),
        script.display()
    );
    let mut ssh = lineman_tests::Process::spawn(std::process::Command::new("sh").args(["-c", &typing]).stdin(std::process::Stdio::null()));
    let said = || fs::read_to_string(&script).unwrap_or_default();
    eventually("the first line is through", || if said().contains("got-one") { Ok(()) } else { Err(said()) });
    std::thread::sleep(std::time::Duration::from_secs(9));
    assert!(!said().contains("got-two"), "input went on though nothing was stored: {}", said());
    centre.acknowledge(true);
    // The chunks that were sent are not sent again on this link; a new one brings them, and the acknowledgements with them.
    centre.drop_links();
    eventually("input goes on when the recording is stored", || if said().contains("got-two") { Ok(()) } else { Err(said()) });
    let _ = ssh.0.wait();
}

/// Reading: between engineer and device the centre carries ciphertext. What it can read is the recording.
pub fn it_reads_recordings_and_nothing_else() {
    let demo = Demo::up(2);
    let consent = demo.consented(&fault(&demo, PLAIN), "exec,sftp-read,sftp-write", "1h");
    let (request, _) = papers(&view(&demo, &consent));
    let centre = HostileCentre::take_over(&demo);
    let marker = "MARKER-IN-THE-CLEAR";
    let port = centre.leg(PLAIN, &terms(&request).engineer_key, None).expect("a leg");
    ssh_to(port, Path::new(demo.engineer_key()), "x", &[&format!("echo {marker}")]).ok().says(marker);
    assert!(!centre.wire().windows(marker.len()).any(|part| part == marker.as_bytes()), "the leg carries plain text");
    assert!(centre.wire().len() > 1000, "the leg was tapped");
    // File contents don't go into recordings: their hashes do.
    let file = demo.scratch("reads").join("secret");
    fs::write(&file, "FILE-CONTENT-IN-THE-CLEAR").expect("a file");
    let port = centre.leg(PLAIN, &terms(&request).engineer_key, None).expect("a leg");
    let put = format!("put {} uploaded-secret", file.display());
    let batch = demo.scratch("reads").join("batch");
    fs::write(&batch, put + "\nrm uploaded-secret\n").expect("a file");
    let mut sftp = std::process::Command::new("sftp");
    sftp.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no"]);
    sftp.args(["-o", "UserKnownHostsFile=/dev/null", "-i", demo.engineer_key(), "-P", &port.to_string(), "-b"])
        .arg(&batch)
        .arg("x@127.0.0.1");
    run(&mut sftp).ok();
    let recorded = eventually("both recordings came", || {
        let chunks = centre.chunks(PLAIN).join("\n");
        if chunks.matches("\\\"end\\\":").count() >= 2 { Ok(chunks) } else { Err(format!("{} bytes", chunks.len())) }
    });
    assert!(recorded.contains(marker), "the recording shows the command and what it printed");
    assert!(recorded.contains("uploaded-secret") && !recorded.contains("FILE-CONTENT"), "of a file: name and hash");
}

/// A key of a page that the carrier's list names opens a device whose owner takes pages, and no other, whoever sends the paper.
pub fn a_key_of_a_page_opens_only_what_the_owner_gave_to_pages() {
    let demo = Demo::up(4);
    let page = new_key();
    let line = format!("noc-jw namespaces=\"consent-browser@lineman\" {}\n", page.public_key().to_openssh().expect("a key"));
    let asked = |device: &str| {
        let id = demo.requested(&fault(&demo, device), "exec", "1h");
        let request = signed(&view(&demo, &id)["request"]);
        let in_page = |class: KeyClass| {
            let terms = terms(&request);
            let consent = Consent {
                id: terms.id,
                request_sha256: sha256_hex(&request.text),
                approver: "noc-jw".parse().expect("a name"),
                doors: terms.doors,
                duration_s: terms.duration_s,
                roster: 1,
                issued: jiff::Timestamp::now(),
            };
            Signed::sign(&page, class.namespace(), consent.write().expect("a consent")).expect("a signature")
        };
        let order = |class| Order::Consent { request: request.clone(), consents: vec![in_page(class)] };
        (id, in_page(KeyClass::Page), [KeyClass::Page, KeyClass::Own].map(order))
    };
    let (plain_id, plain_paper, plain) = asked(PLAIN);
    let (_, _, open) = asked(OPEN);
    // The honest centre says so before the request is used up; the owner's file is not its to change, so it asks the other party.
    let approval = format!("/api/v1/consents/{plain_id}/approval");
    let refused = demo.http(Some("noc-jw")).post(&approval, &json!({"consent": plain_paper})).problem(422, "statement_refused");
    assert!(refused.body["title"].as_str().is_some_and(|title| title.contains("in a page served by the vendor")), "{refused:?}");

    // The carrier itself lists the key, for both devices.
    let list = fs::read_to_string(Path::new(&demo.of_person("approver-jw", "trust")).join("signers")).expect("the signers");
    let grown = list.replace("# counter: 1", "# counter: 2") + &line;
    let officer = key(Path::new(&demo.of_person("approver-jw", "trust")).join("officer-jw"));
    let grown = Order::Signers { signed: vec![Signed::sign(&officer, Namespace::Signers, grown).expect("a signature")] };
    let centre = HostileCentre::take_over(&demo);
    for device in [PLAIN, OPEN] {
        centre.done(device, &grown);
    }
    let [page_key, as_own] = &plain;
    refuses(&centre, PLAIN, page_key, "noc-jw signed this in a page served by the vendor");
    refuses(&centre, PLAIN, as_own, "not listed for `noc-jw` and `consent@lineman`");
    centre.leg(PLAIN, &fingerprint(&key(demo.engineer_key())), None).expect_err("nothing is live there");
    // The refusals meant something: the same key, where the owner takes pages.
    let [page_key, as_own] = &open;
    refuses(&centre, OPEN, as_own, "not listed for `noc-jw` and `consent@lineman`");
    centre.done(OPEN, page_key);
    let port = centre.leg(OPEN, &fingerprint(&key(demo.engineer_key())), None).expect("a leg for the engineer");
    ssh_to(port, Path::new(demo.engineer_key()), "x", &["echo entered"]).ok().says("entered");
}

/// Orders that name what is not there, or come from a centre that invents them, do no harm.
pub fn invented_orders_do_no_harm() {
    let demo = Demo::up(2);
    let consent = demo.consented(&fault(&demo, PLAIN), "exec", "1h");
    let (request, _) = papers(&view(&demo, &consent));
    let centre = HostileCentre::take_over(&demo);
    refuses(&centre, PLAIN, &Order::KillSession { session: SessionId::new(), by: "x\u{1b}]0;evil\u{7}".into() }, "no live session");
    // Hundreds of ends of consents that never were: the real one is not forgotten, nor are those that ended brought back.
    for _ in 0..600 {
        centre.done(PLAIN, &Order::EndConsent { consent: ConsentId::new(), reason: EndReason::Revoked });
    }
    let port = centre.leg(PLAIN, &terms(&request).engineer_key, None).expect("the consent is live still");
    ssh_to(port, Path::new(demo.engineer_key()), "x", &["echo entered"]).ok().says("entered");
    centre.done(PLAIN, &Order::EndConsent { consent: terms(&request).id, reason: EndReason::Revoked });
    for _ in 0..600 {
        centre.done(PLAIN, &Order::EndConsent { consent: ConsentId::new(), reason: EndReason::Revoked });
    }
    let consents = signed_again(&demo, &request);
    let reason = centre.refused(PLAIN, &Order::Consent { request, consents });
    assert!(reason.contains("can't be used again") || reason.contains("challenge"), "{reason}");
}

/// Even the carrier's own signature, made anew over the old request.
fn signed_again(demo: &Demo, request: &Signed) -> Vec<Signed> {
    let terms = terms(request);
    let consent = Consent {
        id: terms.id,
        request_sha256: sha256_hex(&request.text),
        approver: "approver-jw".parse().expect("a name"),
        doors: terms.doors,
        duration_s: terms.duration_s,
        roster: 1,
        issued: jiff::Timestamp::now(),
    };
    let consent = Signed::sign(&key(demo.consent_key()), Namespace::Consent, consent.write().expect("a consent")).expect("a signature");
    vec![consent]
}
