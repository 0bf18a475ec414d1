//! Bundles, put before both verifiers: this program, and the shell script with stock tools. They must agree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use lineman_common::recording::{Event, Flow, What};
use lineman_common::session::Grade;
use lineman_common::statement::device::openssh;
use lineman_common::statement::{KeyClass, Namespace, Signed, sha256_hex};

use super::recorded::Story;
use super::testing::{World, key};
use super::{at, ends, lineman, run, stderr, stdout};

/// A bundle in a folder, and who verifies it with what.
struct Bundle {
    story: Story,
    folder: PathBuf,
    /// Without it the anchors have to do.
    signers: Option<PathBuf>,
}

impl Bundle {
    fn of(story: Story) -> Self {
        let (server, folder) = (story.centre(), story.world.path("bundle"));
        let _ = fs::remove_dir_all(&folder);
        let id = story.session.to_string();
        let mut command = at(&server, story.world.home());
        command.env("LINEMAN_TRUST", story.world.carrier_trust());
        ends(&run(&mut command, &["session", "export", &id, "--format", "bundle", "--dir", folder.to_str().unwrap()]), 0);
        let signers = Some(story.signers_file());
        Self { story, folder, signers }
    }

    fn good(chunks: u64) -> Self {
        Self::of(Story::new(&Arc::new(World::new()), chunks))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    fn write_signed(&self, name: &str, signed: &Signed) {
        self.write(name, &signed.text);
        self.write(&format!("{name}.sig"), &signed.signature);
    }

    /// Replaces chunks and recording: a forger makes everything fit that can be made to fit.
    fn write_chunks(&self, chunks: &[Signed]) {
        fs::remove_dir_all(self.path("chunks")).unwrap();
        fs::create_dir(self.path("chunks")).unwrap();
        for (number, Signed { text, signature }) in chunks.iter().enumerate() {
            self.write(&format!("chunks/{number:06}.txt"), text);
            self.write(&format!("chunks/{number:06}.sig"), signature);
        }
        self.write("recording.jsonl", chunks.iter().map(|chunk| serde_json::to_string(chunk).unwrap() + "\n").collect::<String>());
    }

    fn by_program(&self, what: &Path) -> Output {
        let root = self.story.vendor_root_file();
        let mut arguments = vec!["session", "verify", what.to_str().unwrap(), "--vendor-root", root.to_str().unwrap()];
        if let Some(signers) = &self.signers {
            arguments.extend(["--signers", signers.to_str().unwrap()]);
        }
        run(&mut lineman(self.story.world.home()), &arguments)
    }

    fn by_script(&self) -> Output {
        self.by_script_in("sh")
    }

    fn by_script_in(&self, shell: &str) -> Output {
        let script = self.story.world.path("own-verify.sh");
        fs::write(&script, stdout(&run(&mut lineman(self.story.world.home()), &["session", "verify", "--script"]))).unwrap();
        let mut command = Command::new(shell);
        command.arg(script).arg("-r").arg(self.story.vendor_root_file());
        if let Some(signers) = &self.signers {
            command.arg("-s").arg(signers);
        }
        command.arg(&self.folder).output().unwrap()
    }

    fn tar(&self) -> PathBuf {
        let file = self.story.world.path("bundle.tar");
        let status = Command::new("tar").arg("-cf").arg(&file).arg("-C").arg(self.folder.parent().unwrap()).arg("bundle").status().unwrap();
        assert!(status.success());
        file
    }

    #[track_caller]
    fn holds(&self) -> (Output, Output) {
        let (program, script) = (self.by_program(&self.folder), self.by_script());
        ends(&program, 0);
        ends(&script, 0);
        ends(&self.by_program(&self.tar()), 0);
        (program, script)
    }

    /// Both refuse, for the same place.
    #[track_caller]
    fn fails(&self, place: &str) {
        let (program, script) = (self.by_program(&self.folder), self.by_script());
        ends(&program, 8);
        ends(&script, 1);
        for output in [&program, &script] {
            assert!(stderr(output).contains(place), "`{place}` is not named in: {}", stderr(output));
        }
        ends(&self.by_program(&self.tar()), 8);
    }
}

#[test]
fn a_good_bundle_holds_for_both() {
    let bundle = Bundle::good(4);
    let (program, script) = bundle.holds();
    assert!(stdout(&program).contains("consent-1\tgood\tapprover-jw"), "{}", stdout(&program));
    assert!(stdout(&script).contains("GOOD  ses_") && stdout(&script).contains("chunks: 4, signed and unbroken, ended: client"));
    // Whatever shell there is.
    for shell in ["dash", "bash", "ksh", "mksh"] {
        if Command::new(shell).args(["-c", "true"]).status().is_ok_and(|status| status.success()) {
            ends(&bundle.by_script_in(shell), 0);
        }
    }
    // The engineer's side has no signers: the anchors vouch for the device, and the consent's key stays unknown.
    let bundle = Bundle { signers: None, ..bundle };
    let (program, script) = bundle.holds();
    assert!(stdout(&program).contains("consent-1\tnot checked"), "{}", stdout(&program));
    assert!(stdout(&script).contains("NOT CHECKED"), "{}", stdout(&script));
}

#[test]
fn a_tar_file_is_a_bundle_and_is_played_and_unpacked() {
    let bundle = Bundle::good(3);
    let story = &bundle.story;
    let (server, file) = (story.centre(), story.world.path("session.tar"));
    let id = story.session.to_string();
    let mut command = at(&server, story.world.home());
    ends(&run(&mut command, &["session", "export", &id, "--format", "bundle", "-O", file.to_str().unwrap()]), 0);
    ends(&bundle.by_program(&file), 0);
    let output = run(&mut lineman(story.world.home()), &["session", "play", file.to_str().unwrap()]);
    ends(&output, 0);
    assert_eq!(stdout(&output), "$ ne show fan\r\n风扇 0\r\n风扇 1\r\n风扇 2\r\n");
    // Stock tar unpacks it into a folder of its own, with the script ready to run.
    let place = story.world.path("unpacked");
    fs::create_dir(&place).unwrap();
    assert!(Command::new("tar").arg("-xf").arg(&file).current_dir(&place).status().unwrap().success());
    let mut script = Command::new(place.join(&id).join("verify.sh"));
    script.arg("-r").arg(story.vendor_root_file()).arg("-s").arg(story.signers_file()).current_dir(place.join(&id));
    ends(&script.output().unwrap(), 0);
    // In a pipe.
    let output = run(&mut at(&server, story.world.home()), &["session", "export", &id, "--format", "bundle"]);
    ends(&output, 0);
    fs::write(&file, &output.stdout).unwrap();
    ends(&bundle.by_program(&file), 0);
}

#[test]
fn standing_permission_gateway_and_break_glass_are_proved_as_well() {
    let world = Arc::new(World::new());
    let mut role = Story::of_grade(&world, Grade::Role);
    role.consents = vec![role.standing(|_| {})];
    Bundle::of(role).holds();

    let world = Arc::new(World::new());
    let mut gateway = Story::of_grade(&world, Grade::Gateway);
    gateway.consents = vec![gateway.consent("approver-jw", &world.approver, "exec")];
    Bundle::of(gateway).holds();

    let world = Arc::new(World::new());
    let mut local = Story::of_grade(&world, Grade::EndToEnd);
    local.local = Some(local.local());
    let (program, script) = Bundle::of(local).holds();
    for output in [program, script] {
        assert!(stdout(&output).contains("approved on the device itself"), "{}", stdout(&output));
    }

    let world = Arc::new(World::new());
    let mut two = Story::new(&world, 3);
    two.consents.push(two.consent("approver-b", &two.second_approver, "shell,exec"));
    let (program, _) = Bundle::of(two).holds();
    assert!(stdout(&program).contains("consent-2\tgood\tapprover-b"), "{}", stdout(&program));
}

#[test]
fn what_is_only_counted_is_said() {
    let story = Story::new(&Arc::new(World::new()), 2);
    let mut events: Vec<_> = (0..2).map(Story::events).collect();
    events[1].push(Event { seconds: 1.0, channel: 0, what: What::Truncated(Flow::Stderr) });
    let chunks = story.chunks_of(&story.world.host_key, &story.bind(), &events);
    let bundle = Bundle::of(story);
    bundle.write_chunks(&chunks);
    let (program, script) = bundle.holds();
    assert!(stdout(&program).contains("not complete: only a beginning, the length and the hash of stderr of channel 0"));
    assert!(stdout(&script).contains("of 1 flows only the beginning"), "{}", stdout(&script));
}

#[test]
fn a_changed_chunk_is_named() {
    let bundle = Bundle::good(4);
    let text = bundle.read("chunks/000002.txt");
    bundle.write("chunks/000002.txt", text.replace("风扇 2", "风扇 9"));
    bundle.fails("chunk 2");
    // Trailing bytes.
    bundle.write("chunks/000002.txt", text.clone() + " ");
    bundle.fails("chunk 2");
    bundle.write("chunks/000002.txt", text.clone() + "\n");
    bundle.fails("chunk 2");
    bundle.write("chunks/000002.txt", &text);
    bundle.holds();
    // The signature of another chunk, and none.
    let signature = bundle.read("chunks/000002.sig");
    fs::copy(bundle.path("chunks/000001.sig"), bundle.path("chunks/000002.sig")).unwrap();
    bundle.fails("chunk 2");
    bundle.write("chunks/000002.sig", "");
    bundle.fails("chunk 2");
    bundle.write("chunks/000002.sig", signature);
    bundle.holds();
}

#[test]
fn dropped_added_and_reordered_chunks_are_named() {
    let bundle = Bundle::good(5);
    let chunks = bundle.story.signed_chunks();
    let pick = |numbers: &[usize]| numbers.iter().map(|number| chunks[*number].clone()).collect::<Vec<_>>();
    bundle.write_chunks(&pick(&[0, 1, 3, 4]));
    bundle.fails("chunk 2: it says it is number 3");
    bundle.write_chunks(&pick(&[0, 2, 1, 3, 4]));
    bundle.fails("chunk 1: it says it is number 2");
    bundle.write_chunks(&pick(&[0, 1, 1, 2, 3, 4]));
    bundle.fails("chunk 2: it says it is number 1");
    bundle.write_chunks(&pick(&[1, 2, 3, 4]));
    bundle.fails("chunk 0");
    bundle.write_chunks(&pick(&[0, 1, 2, 3]));
    bundle.fails("chunk 3: it is the last one and no end record");
    bundle.write_chunks(&pick(&[0, 1, 2, 3, 4]));
    bundle.holds();
    // A hole between the files.
    fs::remove_file(bundle.path("chunks/000002.txt")).unwrap();
    bundle.fails("chunk 2");
}

#[test]
fn nothing_follows_the_end_record() {
    let story = Story::new(&Arc::new(World::new()), 3);
    let mut longer = Story::new(&story.world, 4);
    (longer.session, longer.end, longer.request, longer.consents) = (story.session, None, story.request.clone(), story.consents.clone());
    longer.started = story.started;
    let bundle = Bundle::of(story);
    let mut chunks = bundle.story.signed_chunks();
    // A chunk that the device signed, with the right number and the right `prev`.
    let last = longer.signed_chunks().pop().unwrap();
    let head = sha256_hex(&chunks[2].text);
    let (header, rest) = last.text.split_once('\n').unwrap();
    let mut header: serde_json::Value = serde_json::from_str(header).unwrap();
    header["prev"] = head.into();
    chunks.push(Signed::sign(&bundle.story.world.host_key, Namespace::Recording, format!("{header}\n{rest}")).unwrap());
    bundle.write_chunks(&chunks);
    bundle.fails("chunk 3");
}

#[test]
fn a_chunk_of_another_session_is_found() {
    let bundle = Bundle::good(4);
    let mut chunks = bundle.story.signed_chunks();
    let mut other = Story::new(&bundle.story.world, 4);
    (other.request, other.consents, other.started) = (bundle.story.request.clone(), bundle.story.consents.clone(), bundle.story.started);
    // All of the right number and by the right device; only one of them fits nowhere.
    chunks[2] = other.signed_chunks()[2].clone();
    bundle.write_chunks(&chunks);
    bundle.fails("chunk 2: it belongs to another session");
    // Same session, same number, other content: the chain doesn't hold.
    other.session = bundle.story.session;
    let events: Vec<_> = (10..14).map(Story::events).collect();
    chunks[2] = other.chunks_of(&other.world.host_key, &other.bind(), &events)[2].clone();
    bundle.write_chunks(&chunks);
    bundle.fails("chunk 2: it does not follow from the chunk before it");
}

#[test]
fn another_host_key_convinces_nobody() {
    let bundle = Bundle::good(3);
    let story = &bundle.story;
    let forger = key();
    let mut bind = story.bind();
    bind.host_key = openssh(forger.public_key());
    let events: Vec<_> = (0..3).map(Story::events).collect();
    bundle.write_chunks(&story.chunks_of(&forger, &bind, &events));
    bundle.fails("another host key");
    let recorders = format!("device namespaces=\"recording@lineman,local@lineman\" {}\n", openssh(forger.public_key()));
    bundle.write("allowed_recorders", &recorders);
    bundle.fails("allowed_recorders");
    // A statement that fits, by somebody who is no technician of the carrier.
    let forged = story.world.statement_for(forger.public_key());
    let forged = Signed::sign(&forger, Namespace::Device, forged.text).unwrap();
    bundle.write_signed("device-statement", &forged);
    bundle.fails("device");
    // The technician's word for another device of the same carrier.
    bundle.write_signed("device-statement", &story.other_device(&forger));
    bundle.fails("device");
}

#[test]
fn papers_that_were_replaced_are_found() {
    let bundle = Bundle::good(3);
    let story = &bundle.story;
    // A consent by the right approver to the same request, wider than the one that counted.
    bundle.write_signed("consent-1", &story.consent("approver-jw", &story.world.approver, "shell,exec"));
    bundle.fails("consent-1: it is not one that chunk 0 names");
    bundle.write_signed("consent-1", &story.consents[0]);
    bundle.holds();
    fs::rename(bundle.path("consent-1"), bundle.path("kept")).unwrap();
    bundle.fails("missing");
    fs::rename(bundle.path("kept"), bundle.path("consent-1")).unwrap();
    // One more than counted.
    bundle.write_signed("standing-1", &story.standing(|_| {}));
    bundle.fails("standing-1: it is not one that chunk 0 names");
    fs::remove_file(bundle.path("standing-1")).unwrap();
    fs::remove_file(bundle.path("standing-1.sig")).unwrap();
    bundle.holds();
    // Another request by the same engineer.
    bundle.write_signed("request", &story.request_for(Grade::EndToEnd, "shell"));
    bundle.fails("request: it is not the one that chunk 0 names");
    bundle.write_signed("request", &story.request);
    // The roster of another vendor.
    bundle.write_signed("roster", &World::new().roster(7));
    bundle.fails("roster");
    bundle.write_signed("roster", &story.roster);
    bundle.holds();
    // The recording that is played is another than the one that is proved.
    bundle.write("recording.jsonl", bundle.read("recording.jsonl").replace("风扇 1", "风扇 9"));
    bundle.fails("recording.jsonl");
}

/// A device that lets people in against the rules signs what it likes; the papers still tell.
#[test]
fn a_device_that_broke_the_rules_is_found_out() {
    let story = |change: &dyn Fn(&mut Story)| {
        let mut story = Story::new(&Arc::new(World::new()), 2);
        change(&mut story);
        Bundle::of(story)
    };
    story(&|story| story.consents = vec![story.consent("approver-jw", &story.world.engineer, "exec")]).fails("consent-1");
    story(&|story| story.consents = vec![story.consent("approver-jw", &story.world.approver, "sftp-write")]).fails("consent-1");
    story(&|story| {
        let other = story.request.clone();
        story.request = story.request_for(Grade::EndToEnd, "exec,shell,sftp-read");
        assert_ne!(other.text, story.request.text);
    })
    .fails("consent-1");
    story(&|story| story.consents = vec![]).fails("chunk 0");
    story(&|story| story.consents.push(story.consent("approver-jw", &story.world.approver, "shell"))).fails("consent-2");
    story(&|story| story.request = Signed::sign(&story.world.gateway, Namespace::Request, story.request.text.clone()).unwrap())
        .fails("request");
    // A key that is not the engineer's, nor, for grade gateway, the gateway's.
    for grade in [Grade::EndToEnd, Grade::Gateway] {
        let mut other = Story::of_grade(&Arc::new(World::new()), grade);
        other.consents = vec![other.consent("approver-jw", &other.world.approver, "exec")];
        let mut bind = other.bind();
        bind.engineer_key = openssh(if grade == Grade::Gateway { &other.world.approver } else { &other.world.gateway }.public_key());
        let chunks = other.chunks_of(&other.world.host_key, &bind, &(0..3).map(Story::events).collect::<Vec<_>>());
        let bundle = Bundle::of(other);
        bundle.holds();
        bundle.write_chunks(&chunks);
        bundle.fails("another key went in");
    }
    let role = |change: &dyn Fn(&mut lineman_common::statement::Standing)| {
        let mut story = Story::of_grade(&Arc::new(World::new()), Grade::Role);
        story.consents = vec![story.standing(|standing| change(standing))];
        Bundle::of(story)
    };
    role(&|_| {}).holds();
    role(&|standing| standing.level = 3).fails("standing-1");
    role(&|standing| standing.doors = "exec".parse().unwrap()).fails("standing-1");
    role(&|standing| standing.devices = "ne-2.jw.ne,ne-3.jw.ne".parse().unwrap()).fails("standing-1");
    role(&|standing| standing.fault = "F-JW-2".parse().unwrap()).fails("standing-1");
    role(&|standing| standing.account = "operate".into()).fails("standing-1");
    role(&|standing| standing.customer = "YD".parse().unwrap()).fails("standing-1");
    role(&|standing| standing.valid_before = standing.issued).fails("standing-1");
    let local = |change: &dyn Fn(String) -> String| {
        let mut story = Story::of_grade(&Arc::new(World::new()), Grade::EndToEnd);
        let text = change(story.local().text);
        story.local = Some(Signed::sign(&story.world.host_key, Namespace::Local, text).unwrap());
        Bundle::of(story)
    };
    local(&|text| text.replace("approve-consent", "end-consent")).fails("local-1");
    local(&|text| text.replace("request-sha256 ", "request-sha256 0")).fails("local-1");
}

#[test]
fn a_consent_of_a_page_holds_and_is_named_as_one() {
    let story = |class: KeyClass, of_page: bool| {
        let mut story = Story::new(&Arc::new(World::new()), 2);
        let (name, key) = if of_page { ("noc-jw", &story.world.gateway) } else { ("approver-jw", &story.world.approver) };
        story.consents = vec![story.consent_of(class, name, key, "exec")];
        Bundle::of(story)
    };
    let mut bundle = story(KeyClass::Page, true);
    let said = "approved in a page served by the vendor";
    let (program, script) = bundle.holds();
    assert!(stdout(&program).contains(said) && stdout(&script).contains(&format!("note  consent-1: {said}")), "{}", stdout(&script));
    // Whose key it is can't be said without the list; of which class it is can.
    bundle.signers = None;
    let (program, script) = bundle.holds();
    assert!(stdout(&program).contains(said) && stdout(&script).contains(said) && stdout(&script).contains("NOT CHECKED"));
    story(KeyClass::Own, true).fails("consent-1");
    story(KeyClass::Page, false).fails("consent-1");
}

#[test]
fn the_verifiers_own_lists_decide() {
    let bundle = Bundle::good(2);
    // The copies in the bundle are nothing to go by.
    bundle.write("vendor-root", "vendor-root namespaces=\"roster@lineman\" nonsense\n");
    bundle.write("signers", "nonsense\n");
    bundle.write("verify.sh", "#!/bin/sh\necho GOOD\n");
    let (program, _) = bundle.holds();
    for note in ["copy of the vendor root", "copy of the signers", "don't run it"] {
        assert!(stderr(&program).contains(note), "{}", stderr(&program));
    }
    let other = World::new();
    let wrong_root =
        Bundle { story: Story::new(&Arc::new(World::new()), 2), folder: bundle.folder.clone(), signers: bundle.signers.clone() };
    wrong_root.fails("roster");
    let signers = other.carrier_trust().join("signers");
    Bundle { signers: Some(signers), ..bundle }.fails("device");
}

#[test]
fn a_list_that_had_expired_counts_no_more() {
    let bundle = Bundle::good(2);
    let signers = fs::read_to_string(bundle.signers.as_ref().unwrap()).unwrap();
    let expired = bundle.story.world.path("expired-signers");
    let expiry = signers.lines().find(|line| line.starts_with("# expiry")).unwrap().to_owned();
    fs::write(&expired, signers.replace(&expiry, "# expiry: 2026-01-01T00:00:00Z")).unwrap();
    Bundle { signers: Some(expired), ..bundle }.fails("expired");
}

#[test]
fn strange_files_are_refused_by_both() {
    let bundle = Bundle::good(2);
    bundle.write("chunks/notes", "x");
    bundle.fails("chunk");
    fs::remove_file(bundle.path("chunks/notes")).unwrap();
    fs::rename(bundle.path("request"), bundle.path("real")).unwrap();
    std::os::unix::fs::symlink("real", bundle.path("request")).unwrap();
    bundle.fails("request");
}

#[test]
fn copies_are_believed_only_when_somebody_insists() {
    let bundle = Bundle::good(2);
    let home = tempfile::tempdir().unwrap();
    let verify = |more: &[&str]| run(&mut lineman(home.path()), &[&["session", "verify", bundle.folder.to_str().unwrap()], more].concat());
    let output = verify(&[]);
    ends(&output, 1);
    assert!(stderr(&output).contains("not from the centre"), "{}", stderr(&output));
    let output = verify(&["--copies"]);
    ends(&output, 0);
    assert!(stderr(&output).contains("only that its parts fit each other"), "{}", stderr(&output));
}

#[test]
fn hostile_tar_files_are_refused() {
    let bundle = Bundle::good(2);
    let file = bundle.story.world.path("hostile.tar");
    let tar = |args: &[&str]| {
        let status = Command::new("tar").arg("-cf").arg(&file).args(args).current_dir(&bundle.folder).status().unwrap();
        assert!(status.success());
        let output = bundle.by_program(&file);
        (output.status.code(), stderr(&output))
    };
    let all = ["README.txt", "allowed_recorders", "recording.jsonl", "chunks", "device-statement", "device-statement.sig"];
    let papers = ["request", "request.sig", "roster", "roster.sig", "consent-1", "consent-1.sig"];
    let whole = [&all[..], &papers[..]].concat();
    assert_eq!(tar(&whole).0, Some(0));
    fs::write(bundle.path("evil"), "x").unwrap();
    let (code, said) = tar(&[&["--transform=s,^evil,../../evil,", "-P"], &whole[..], &["evil"]].concat());
    assert!(code == Some(8) && said.contains("leads elsewhere"), "{code:?} {said}");
    let (code, said) = tar(&[&whole[..], &["evil"]].concat());
    assert!(code == Some(8) && said.contains("does not belong"), "{code:?} {said}");
    // A paper as a link, a paper twice, a sparse giant.
    fs::rename(bundle.path("request"), bundle.path("real")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", bundle.path("request")).unwrap();
    let (code, said) = tar(&whole);
    assert!(code == Some(8) && said.contains("not a plain file"), "{code:?} {said}");
    fs::remove_file(bundle.path("request")).unwrap();
    fs::rename(bundle.path("real"), bundle.path("request")).unwrap();
    let (code, said) = tar(&[&["--hard-dereference"], &whole[..], &["request"]].concat());
    assert!(code == Some(8) && said.contains("twice"), "{code:?} {said}");
    let giant = fs::OpenOptions::new().write(true).open(bundle.path("request")).unwrap();
    giant.set_len(1 << 40).unwrap();
    let (code, said) = tar(&[&["--sparse"], &whole[..]].concat());
    assert!(code == Some(8) && said.contains("not a plain file"), "{code:?} {said}");
    let output = bundle.by_program(&bundle.folder);
    ends(&output, 8);
    assert!(stderr(&output).contains("is longer than"), "{}", stderr(&output));
}

#[test]
fn a_bundle_that_nobody_would_believe_is_said_when_it_is_written() {
    let story = Story { end: None, ..Story::new(&Arc::new(World::new()), 2) };
    let (server, file) = (story.centre(), story.world.path("session.tar"));
    let mut command = at(&server, story.world.home());
    command.env("LINEMAN_TRUST", story.world.vendor_trust());
    let id = story.session.to_string();
    let export = ["session", "export", &id, "--format", "bundle", "-O", file.to_str().unwrap()];
    let output = run(&mut command, &export);
    ends(&output, 0);
    assert!(stderr(&output).contains("proves nothing yet: chunk 1: it is the last one and no end record"), "{}", stderr(&output));
    // Somebody else's folder is not written into.
    let output = run(
        &mut at(&server, story.world.home()),
        &["session", "export", &id, "--format", "bundle", "--dir", story.world.home().to_str().unwrap()],
    );
    ends(&output, 2);
    assert!(stderr(&output).contains("is not empty"), "{}", stderr(&output));
    let output = run(&mut lineman(story.world.home()), &["session", "export", file.to_str().unwrap(), "--format", "bundle", "--dir", "x"]);
    ends(&output, 2);
    assert!(stderr(&output).contains("come from the centre"), "{}", stderr(&output));
}
