//! Every stock client, end to end: through the real gateway to a real device, each under a consent of its own.
//!
//! What they do is compared with what they would do at home (content, exit status, what is left on the device), and with what the
//! device recorded of it. [`crate::doors`] has what a consent opens; this is how it feels to work inside one.

pub mod ansible;
pub mod day;
pub mod files;
pub mod many;
pub mod paramiko;
pub mod refused;
pub mod ssh;
pub mod terminal;

const ALL: &str = "shell,exec,sftp-read,sftp-write";
