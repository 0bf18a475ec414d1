//! Which keys sign in.

use lineman_common::id::ConsentId;
use lineman_common::session::Grade;
use lineman_common::statement::device::openssh;
use ssh_key::{PrivateKey, PublicKey};

use super::device::{Device, Setup, fido, text};

/// Signs in with a key that an ssh-agent holds.
fn signs_in(key: PrivateKey, public: PublicKey, flags: u8) {
    let setup = Setup { engineer: key.clone(), engineer_public: Some(public.clone()), ..Setup::usual() };
    let device = Device::set_up("exec", setup);
    let (agent, file) = (device.state().join("token.sock"), device.state().join("token.pub"));
    std::fs::write(&file, openssh(&public)).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fido::serve(&agent, key, public.clone(), flags);
    let agent = format!("IdentityAgent={}", agent.display());
    let output = device.ssh_with(&file, &["-o", &agent, "echo in"]).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "in\n"), "{}", text(&output.stderr));
    assert_eq!(device.recording().bind.engineer_key, openssh(&public));
}

#[test]
fn tokens_of_both_kinds_sign_in() {
    for (key, public) in [fido::ed25519(), fido::ecdsa()] {
        signs_in(key, public, fido::TOUCHED);
    }
}

/// What can't be seen here is said: the request was signed with a touch, signing in under it is as strict as the token is.
#[test]
fn a_token_that_does_not_ask_for_a_touch_signs_in_too() {
    let (key, public) = fido::ed25519();
    signs_in(key, public, 0);
}

#[test]
fn an_rsa_key_is_refused_in_words() {
    let device = Device::start("exec");
    let key = device.state().join("rsa");
    let made = std::process::Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-b", "3072", "-N", "", "-f"]).arg(&key).status();
    assert!(made.unwrap().success());
    let output = device.ssh_with(&key, &["-o", "BatchMode=no", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(255));
    let said = text(&output.stderr);
    assert!(said.contains("lineman: RSA keys are not accepted"), "{said}");
    assert!(said.contains("Permission denied (publickey)"), "{said}");
    assert_eq!(device.recorded(), 0);
    // A client that has a good key besides gets in with it.
    let both = ["-i", key.to_str().unwrap(), "-o", "BatchMode=no", "echo in"];
    let output = device.ssh(&both).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "in\n"), "{}", text(&output.stderr));
}

#[test]
fn the_gateway_enters_under_the_consent_that_it_names_and_the_engineer_does_not() {
    let device = Device::set_up("exec", Setup { grade: Grade::Gateway, ..Setup::usual() });
    let gateway = device.state().join("gateway");
    let user = device.consent.to_string();
    let output = device.ssh_with(&gateway, &["-l", &user, "echo in"]).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "in\n"), "{}", text(&output.stderr));
    let recording = device.recording();
    assert_eq!((recording.bind.grade, recording.bind.consents_sha256.len()), (Grade::Gateway, 1));
    assert_eq!(recording.bind.engineer.as_str(), "engineer-a");
    for (key, user) in [(&gateway, "x".to_owned()), (&gateway, ConsentId::new().to_string()), (&device.state().join("engineer"), user)] {
        let output = device.ssh_with(key, &["-l", &user, "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(255), "{user}");
    }
    assert_eq!(device.recorded(), 1);
}
