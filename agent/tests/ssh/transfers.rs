//! Transfers that nobody finishes in order are in the recording all the same.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use lineman_agent::session::registry::Ending;
use lineman_common::session::EndReason;
use lineman_common::statement::sha256_hex;

use super::device::Device;

/// SFTP, spoken by hand over stock `ssh -s`.
struct Sftp {
    ssh: Child,
    to: ChildStdin,
    from: ChildStdout,
}

impl Sftp {
    fn start(device: &Device) -> Self {
        let mut ssh = device.ssh(&["-s", "sftp"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (ssh.stdin.take().unwrap(), ssh.stdout.take().unwrap());
        let mut sftp = Self { ssh, to, from };
        assert_eq!(sftp.ask(&[&[1, 0, 0, 0, 3]])[0], 2, "version");
        sftp
    }

    /// Kind and the rest of the answer.
    fn ask(&mut self, parts: &[&[u8]]) -> Vec<u8> {
        self.to.write_all(&string(&parts.concat())).unwrap();
        let mut length = [0; 4];
        self.from.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.from.read_exact(&mut answer).unwrap();
        answer
    }

    /// Returns the handle, as the protocol writes it.
    fn open(&mut self, path: &str, flags: u32) -> Vec<u8> {
        let answer = self.ask(&[&[3], &1u32.to_be_bytes(), &string(path.as_bytes()), &flags.to_be_bytes(), &[0; 4]]);
        assert_eq!(answer[0], 102, "a handle");
        answer[5..].to_vec()
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

#[test]
fn a_file_that_was_read_and_never_closed_is_told_when_the_client_is_cut_off() {
    let device = Device::start("sftp-read");
    std::fs::write(device.home().join("secret"), "0123456789").unwrap();
    let mut sftp = Sftp::start(&device);
    let handle = sftp.open("secret", 1);
    let answer = sftp.ask(&[&[5], &2u32.to_be_bytes(), &handle, &0u64.to_be_bytes(), &100u32.to_be_bytes()]);
    assert_eq!(&answer[9..], b"0123456789");
    // No CLOSE, no end of input: the connection is gone.
    sftp.ssh.kill().unwrap();
    sftp.ssh.wait().unwrap();
    let told = device.sftp_operations();
    let [opened, read] = &told[..] else { panic!("{told:?}") };
    assert_eq!((opened.op.as_str(), opened.path.as_str(), opened.result.as_str()), ("open-read", "secret", "ok"));
    assert_eq!((read.op.as_str(), read.bytes, read.sha256.as_deref()), ("read", Some(10), Some(sha256_hex("0123456789").as_str())));
    assert!(read.result.contains("cut off"), "{read:?}");
    assert_eq!(device.ended().summary.files, ["secret"]);
}

#[test]
fn a_file_that_is_being_read_when_the_consent_ends_is_told_also_when_the_client_takes_nothing() {
    let device = Device::start("sftp-read");
    std::fs::write(device.home().join("large"), vec![7; 64 << 20]).unwrap();
    let mut sftp = Sftp::start(&device);
    let handle = sftp.open("large", 1);
    // Far more than all buffers on the way hold; nobody reads it.
    for n in 0..400u32 {
        let read = [&[5][..], &n.to_be_bytes(), &handle, &(u64::from(n) * 131_072).to_be_bytes(), &131_072u32.to_be_bytes()];
        sftp.to.write_all(&string(&read.concat())).unwrap();
    }
    sftp.from.read_exact(&mut [0; 4]).unwrap();
    device.host.sessions.end_consent(device.consent, &Ending::new(EndReason::Revoked));
    sftp.ssh.kill().unwrap();
    sftp.ssh.wait().unwrap();
    let ops: Vec<_> = device.sftp_operations().into_iter().map(|op| op.op).collect();
    assert_eq!(ops, ["open-read", "read"]);
}
