//! What stock `ssh` may speak with the device, and what is refused.

use std::io::Write;
use std::process::{Output, Stdio};
use std::sync::Arc;

use russh::client;
use russh::keys::PublicKeyOrCertificate;
use russh::{Preferred, kex};

use super::device::{Device, text};

fn through(device: &Device, options: &[&str], data: &[u8]) -> Output {
    let options: Vec<_> = options.iter().chain(&["LogLevel=DEBUG1"]).flat_map(|option| ["-o", *option]).chain(["cat"]).collect();
    let mut ssh = device.ssh(&options);
    let mut ssh = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = ssh.stdin.take().unwrap();
    let sent = data.to_vec();
    // Nobody reads it where the connection is refused.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&sent)));
    let output = ssh.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

#[test]
fn every_cipher_of_the_list_carries_data_both_ways() {
    let device = Device::start("exec");
    let data: Vec<u8> = (0..400_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let etm = "MACs=hmac-sha2-512-etm@openssh.com";
    for (cipher, mac) in [
        ("aes128-gcm@openssh.com", "MACs=hmac-sha2-256-etm@openssh.com"),
        ("aes256-gcm@openssh.com", etm),
        ("chacha20-poly1305@openssh.com", etm),
        ("aes128-ctr", "MACs=hmac-sha2-256-etm@openssh.com"),
        ("aes192-ctr", etm),
        ("aes256-ctr", etm),
    ] {
        // Compression is asked for, and not had.
        let output = through(&device, &[&format!("Ciphers={cipher}"), mac, "Compression=yes"], &data);
        let log = text(&output.stderr);
        assert!(output.status.success(), "{cipher}: {log}");
        assert!(output.stdout == data, "{cipher}: {} bytes", output.stdout.len());
        for direction in ["server->client", "client->server"] {
            let spoken = log.lines().find(|line| line.contains(direction)).unwrap();
            assert!(spoken.contains(&format!("cipher: {cipher} ")) && spoken.contains("compression: none"), "{spoken}");
        }
    }
}

#[test]
fn key_exchanges_of_the_list_are_taken_and_others_refused() {
    let device = Device::start("exec");
    for kex in ["curve25519-sha256", "curve25519-sha256@libssh.org"] {
        let output = through(&device, &[&format!("KexAlgorithms={kex}")], b"in and out");
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "in and out"), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(&format!("kex: algorithm: {kex}")), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("kex: host key algorithm: ssh-ed25519"), "{}", text(&output.stderr));
    }
    for (option, what) in [
        ("KexAlgorithms=diffie-hellman-group14-sha256", "no matching key exchange method"),
        ("KexAlgorithms=diffie-hellman-group-exchange-sha256", "no matching key exchange method"),
        ("KexAlgorithms=ecdh-sha2-nistp256", "no matching key exchange method"),
        ("Ciphers=aes128-cbc", "no matching cipher"),
        ("Ciphers=3des-cbc", "no matching cipher"),
        ("HostKeyAlgorithms=rsa-sha2-512", "no matching host key type"),
    ] {
        let output = through(&device, &[option], b"");
        assert_eq!(output.status.code(), Some(255), "{option}");
        assert!(text(&output.stderr).contains(what), "{option}: {}", text(&output.stderr));
    }
    for mac in ["hmac-sha1", "hmac-sha2-256", "umac-128-etm@openssh.com"] {
        let output = through(&device, &["Ciphers=aes128-ctr", &format!("MACs={mac}")], b"");
        assert!(text(&output.stderr).contains("no matching MAC"), "{mac}: {}", text(&output.stderr));
    }
    assert_eq!(device.recorded(), 2);
}

/// Takes any host key: what is tested comes before.
struct Anything;

impl client::Handler for Anything {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// Stock `ssh` has it since 9.9; older systems come with an older one.
#[test]
fn the_hybrid_key_exchange_is_spoken() {
    let device = Device::start("exec");
    let port = device.ssh_arguments().iter().find_map(|option| option.strip_prefix("Port=")?.parse::<u16>().ok()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (only, taken) in [(kex::MLKEM768X25519_SHA256, true), (kex::DH_G14_SHA256, false)] {
            let preferred = Preferred { kex: vec![only].into(), ..Preferred::DEFAULT };
            let config = Arc::new(client::Config { preferred, ..client::Config::default() });
            let connected = client::connect(config, ("127.0.0.1", port), Anything).await;
            assert_eq!(connected.is_ok(), taken, "{:?}", connected.err());
        }
    });
}
