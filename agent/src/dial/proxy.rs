//! Asking an HTTP proxy for a tunnel: `CONNECT`, with basic authentication where it wants that (RFC 9110, 9.3.6 and 11.7).
//!
//! A proxy is a stranger: its answer is bounded in length and time, and its words are made printable before anybody sees them.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use lineman_common::printable::escape;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::config::{Login, Proxy};
use crate::identity::ServerAddress;

/// A proxy answers when it has reached the centre, or not. Long enough for its second SYN to a network that just came back (after
/// seven seconds), so that it is not asked anew, and anew, for what it is trying already.
const PATIENCE: Duration = Duration::from_secs(8);
/// The longest head of an answer.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_PASSWORD_BYTES: u64 = 4096;
const SOFTWARE: &str = concat!("lineman-agent/", env!("CARGO_PKG_VERSION"));

#[derive(Debug, thiserror::Error)]
#[error("the proxy {proxy} {why}")]
pub struct ProxyError {
    proxy: String,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("did not answer within {seconds} s when it was asked for {0}: perhaps it can't reach it", seconds = PATIENCE.as_secs())]
    Silent(ServerAddress),
    #[error("can't be used: {0}")]
    Password(String),
    #[error("closed the connection when it was asked for {0}")]
    Closed(ServerAddress),
    #[error("broke the connection: {0}")]
    Io(#[from] io::Error),
    #[error("answers what is not HTTP: `{0}`; is it a proxy?")]
    NotHttp(String),
    #[error("answers with a head of more than {MAX_HEAD_BYTES} bytes")]
    TooLong,
    #[error("wants a name and a password ({0}): write link.proxy_user and link.proxy_password_file into agent.toml")]
    WantsLogin(Said),
    #[error("does not take the password of {user} that is in {file} ({said})")]
    WrongLogin { user: String, file: String, said: Said },
    #[error("wants {schemes} and knows no Basic authentication, which is all that this agent has ({said})")]
    OtherScheme { schemes: String, said: Said },
    #[error("can't reach {target}: {said}")]
    Unreachable { target: ServerAddress, said: Said },
    #[error("refuses to connect to {target}: {said}")]
    Refused { target: ServerAddress, said: Said },
}

/// Its status, and its words.
#[derive(Debug)]
struct Said {
    status: StatusCode,
    words: String,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.words)
    }
}

impl ProxyError {
    /// It does what it is asked, and the centre is not there: worth asking again soon.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.why, Why::Silent(_) | Why::Unreachable { .. })
    }
}

impl Proxy {
    /// Makes a connection to the proxy one to `target`. What follows the answer's head is the tunnel's, and is left in the stream.
    pub async fn tunnel(&self, stream: &mut TcpStream, target: &ServerAddress) -> Result<(), ProxyError> {
        let failed = |why| ProxyError { proxy: self.to_string(), why };
        let request = self.request(target).map_err(failed)?;
        let asking = async {
            stream.write_all(request.as_bytes()).await?;
            let head = head(stream).await?.ok_or_else(|| Why::Closed(target.clone()))?;
            self.judge(&Head::parse(&head)?, target)
        };
        timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(Why::Silent(target.clone()))).map_err(failed)
    }

    fn request(&self, target: &ServerAddress) -> Result<String, Why> {
        let login = match &self.login {
            Some(login) => format!("Proxy-Authorization: Basic {}\r\n", login.credentials().map_err(Why::Password)?),
            None => String::new(),
        };
        Ok(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: {SOFTWARE}\r\n{login}\r\n"))
    }

    fn judge(&self, head: &Head, target: &ServerAddress) -> Result<(), Why> {
        let (status, target, said) = (head.status, target.clone(), Said { status: head.status, words: head.words.clone() });
        if status.is_success() {
            return Ok(());
        }
        // Some say 401 to a wrong password, tinyproxy among them.
        if matches!(status, StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::UNAUTHORIZED) {
            return Err(match &self.login {
                _ if !head.takes_basic() => Why::OtherScheme { schemes: head.schemes.join(", "), said },
                None => Why::WantsLogin(said),
                Some(Login { user, password_file }) => {
                    Why::WrongLogin { user: user.clone(), file: password_file.display().to_string(), said }
                }
            });
        }
        Err(if status.is_server_error() { Why::Unreachable { target, said } } else { Why::Refused { target, said } })
    }
}

impl Login {
    /// `user:password`, as the header carries it.
    fn credentials(&self) -> Result<String, String> {
        let password = self.password().map_err(|why| format!("{}: {why}", self.password_file.display()))?;
        Ok(STANDARD.encode(format!("{}:{password}", self.user)))
    }

    /// Checks what a dial would use.
    pub fn password(&self) -> Result<String, String> {
        let file = File::open(&self.password_file).map_err(|error| error.to_string())?;
        let mode = file.metadata().map_err(|error| error.to_string())?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!("others may read it (mode {mode:04o}): chmod 600"));
        }
        let mut text = String::new();
        file.take(MAX_PASSWORD_BYTES).read_to_string(&mut text).map_err(|error| error.to_string())?;
        let password = text.strip_suffix('\n').unwrap_or(&text);
        let password = password.strip_suffix('\r').unwrap_or(password);
        if password.is_empty() || password.contains(char::is_control) {
            return Err("expected one line, the password".into());
        }
        Ok(password.to_owned())
    }
}

/// Reads up to the empty line and not a byte further; `None` where nothing came at all.
async fn head(stream: &mut TcpStream) -> Result<Option<Vec<u8>>, Why> {
    const END: &[u8] = b"\r\n\r\n";
    let mut head = Vec::new();
    let mut seen = [0; 2048];
    loop {
        let n = stream.peek(&mut seen).await?;
        if n == 0 && head.is_empty() {
            return Ok(None);
        }
        if n == 0 {
            return Err(Why::NotHttp(shown(&head)));
        }
        // The end may have begun in what was read before.
        let from = head.len().saturating_sub(END.len() - 1);
        let before = head.len();
        head.extend_from_slice(&seen[..n]);
        let end = head[from..].windows(END.len()).position(|window| window == END).map(|at| from + at + END.len());
        head.truncate(end.unwrap_or(head.len()));
        stream.read_exact(&mut seen[..head.len() - before]).await?;
        if end.is_some() {
            return Ok(Some(head));
        }
        if head.len() > MAX_HEAD_BYTES {
            return Err(Why::TooLong);
        }
        // What can't become HTTP any more is not waited for.
        if !b"HTTP/".starts_with(&head[..head.len().min(5)]) {
            return Err(Why::NotHttp(shown(&head)));
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    escape(String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).trim_end())
}

#[derive(Debug)]
struct Head {
    status: StatusCode,
    /// Printable.
    words: String,
    /// Of authentication, printable.
    schemes: Vec<String>,
}

impl Head {
    fn parse(head: &[u8]) -> Result<Self, Why> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let mut first = lines.next().unwrap_or_default().splitn(3, ' ');
        let version = first.next().unwrap_or_default();
        let status = first.next().and_then(|status| status.parse().ok()).and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.filter(|_| version.starts_with("HTTP/1.")).ok_or_else(|| Why::NotHttp(shown(head)))?;
        let words: String = first.next().unwrap_or_default().chars().take(200).collect();
        let schemes = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            let scheme = value.split_ascii_whitespace().next()?;
            name.eq_ignore_ascii_case("Proxy-Authenticate").then(|| escape(scheme).chars().take(40).collect())
        });
        Ok(Self { status, schemes: schemes.take(8).collect(), words: escape(&words) })
    }

    /// Also where it does not say what it takes.
    fn takes_basic(&self) -> bool {
        self.schemes.is_empty() || self.schemes.iter().any(|scheme| scheme.trim_end_matches(',').eq_ignore_ascii_case("basic"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn login(file: &Path) -> Login {
        Login { user: "ne-17".into(), password_file: file.to_owned() }
    }

    #[test]
    fn a_password_is_one_line_that_nobody_else_may_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        let with = |text: &str, mode: u32| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            login(&file).credentials()
        };
        assert!(login(&file).credentials().unwrap_err().contains("No such file"));
        // As `printf ne-17:Pässwort | base64` has it.
        assert_eq!(with("Pässwort\n", 0o600).unwrap(), "bmUtMTc6UMOkc3N3b3J0");
        assert_eq!(with("Pässwort\r\n", 0o400).unwrap(), "bmUtMTc6UMOkc3N3b3J0");
        for mode in [0o640, 0o604, 0o666] {
            assert!(with("x", mode).unwrap_err().contains("chmod 600"), "{mode:o}");
        }
        for text in ["", "\n", "one\ntwo\n"] {
            assert!(with(text, 0o600).unwrap_err().contains("expected one line"), "{text:?}");
        }
    }

    #[test]
    fn the_request_names_its_target_in_brackets_where_it_must() {
        let proxy = Proxy { address: "proxy:1".parse().unwrap(), login: None };
        let request = proxy.request(&"[2001:db8::1]:7443".parse().unwrap()).unwrap();
        assert!(request.starts_with("CONNECT [2001:db8::1]:7443 HTTP/1.1\r\nHost: [2001:db8::1]:7443\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n") && !request.contains("Authorization"), "{request}");
    }
}
