//! Configuration for stock OpenSSH: where the gateway is, and the pinned keys of gateway and devices.
//!
//! Everything in it was verified before (see [`crate::trust`]); still, nothing is written that could mean more than a name
//! to `ssh`: host names, users and paths are checked character by character, because a line break or a `ProxyCommand` in the
//! wrong place would run a program. Host keys are pinned and `StrictHostKeyChecking` is on, so that `ssh` never asks.
//!
//! `ServerAliveInterval` is left out on purpose: a session survives a link cut of two minutes, and keepalives inside it
//! would end it earlier.

use std::path::{Path, PathBuf};

use lineman_common::name::{NeName, PersonName};
use lineman_common::printable::escape;
use lineman_common::session::Target;
use lineman_common::statement::device::openssh;
use ssh_key::PublicKey;

/// The gateway's name for `ssh`: `ssh -J centre ne-1.jw.ne`.
pub const JUMP: &str = "centre";

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SshConfigError {
    #[error("`{0}` is not an address of a gateway: expected `host:port`")]
    Jump(String),
    #[error("the path {0} can't go into an ssh configuration: it holds a character that ssh or a shell would act on")]
    Path(String),
    #[error("the vendor's roster lists no gateway key: the gateway can't be recognised")]
    NoGatewayKey,
}

/// Where the gateway listens, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jump {
    host: String,
    port: u16,
}

impl Jump {
    /// Reads `host:port`. A gateway that listens on every address is reached at the server's own.
    pub fn parse(text: &str, server_host: &str) -> Result<Self, SshConfigError> {
        let wrong = || SshConfigError::Jump(escape(text));
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let bare = |host: &str| host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned();
        let mut host = bare(host);
        if host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_unspecified()) {
            host = bare(server_host);
        }
        let is_ip = host.parse::<std::net::IpAddr>().is_ok();
        let is_name = (1..=253).contains(&host.len())
            && host.starts_with(|c: char| c.is_ascii_alphanumeric())
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        if is_ip || is_name { Ok(Self { host, port }) } else { Err(wrong()) }
    }
}

/// A configuration and the known_hosts file that it names.
#[derive(Clone, Debug)]
pub struct SshConfig<'a> {
    pub jump: Jump,
    pub gateway_keys: Vec<&'a PublicKey>,
    pub devices: Vec<(&'a NeName, &'a PublicKey)>,
    pub user: &'a PersonName,
    pub identity: Option<PathBuf>,
    pub known_hosts: PathBuf,
    /// The command that brings a line to a device; without it, every device is reached through the gateway.
    pub proxy: Option<String>,
}

impl SshConfig<'_> {
    pub fn text(&self) -> Result<String, SshConfigError> {
        let Self { jump: Jump { host, port }, user, .. } = self;
        let identity = match &self.identity {
            Some(path) => format!("    IdentityFile {}\n    IdentitiesOnly yes\n", quoted(path)?),
            None => String::new(),
        };
        let pinned = format!(
            "    UserKnownHostsFile {}\n    GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking yes\n    UpdateHostKeys no\n    \
             VerifyHostKeyDNS no\n    CheckHostIP no\n    PreferredAuthentications publickey\n    ForwardAgent no\n    ForwardX11 no\n",
            quoted(&self.known_hosts)?
        );
        Ok(format!(
            "# Made by lineman from verified statements; host keys are pinned. Make it again when equipment changes.\n\
             # Under a consent of grade gateway: ssh -l ne-1.jw.ne {JUMP}\n\
             Host {JUMP}\n    HostName {host}\n    Port {port}\n    HostKeyAlias {JUMP}\n    User {user}\n{identity}{pinned}\n\
             {}Host *.ne\n    ProxyJump {JUMP}\n    User {user}\n{identity}{pinned}",
            self.lines()
        ))
    }

    /// The devices' own block, before the one for any name: `ssh` keeps what it reads first. Each device is named, so that nothing
    /// but a name that was checked ever gets to the shell that runs the command; `ssh -J` goes before it all the same.
    fn lines(&self) -> String {
        let Some(proxy) = self.proxy.as_ref().filter(|_| !self.devices.is_empty()) else { return String::new() };
        let names = self.devices.iter().fold(String::new(), |names, (device, _)| names + " " + &device.to_string());
        format!("Host{names}\n    ProxyCommand {proxy}\n    ProxyUseFdpass yes\n\n")
    }

    pub fn known_hosts_text(&self) -> Result<String, SshConfigError> {
        if self.gateway_keys.is_empty() {
            return Err(SshConfigError::NoGatewayKey);
        }
        let gateway = self.gateway_keys.iter().map(|key| format!("{JUMP} {}\n", openssh(key)));
        let devices = self.devices.iter().map(|(device, key)| format!("{device} {}\n", openssh(key)));
        Ok(gateway.chain(devices).collect())
    }
}

/// A path as ssh_config takes it. `%` and `${` would be expanded, quotes and backslashes would end or change it.
fn quoted(path: &Path) -> Result<String, SshConfigError> {
    let wrong = || SshConfigError::Path(escape(&path.display().to_string()));
    let text = path.to_str().ok_or_else(wrong)?;
    if text.chars().any(|c| c.is_control() || "\"\\$`".contains(c)) {
        return Err(wrong());
    }
    Ok(format!("\"{}\"", text.replace('%', "%%")))
}

/// A `ProxyCommand` from its words, which passes on the name and the user that `ssh` was given.
///
/// `ssh` runs it through the engineer's own shell. The name is one of the configuration's; a user could hold anything, and newer
/// `ssh` refuses what a quoted word can't hold.
pub fn proxy_command(words: &[String]) -> Result<String, SshConfigError> {
    let words = words.iter().map(|word| shell_word(word)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("{} --user '%r' '%h'", words.join(" ")))
}

/// A word as every shell reads it back, sh as well as zsh, fish and csh; `%` is `ssh`'s own.
fn shell_word(text: &str) -> Result<String, SshConfigError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@,:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    // These end a quoted word, or mean something inside of one to some shell.
    if text.chars().any(|c| c.is_control() || "'\\!".contains(c)) {
        return Err(SshConfigError::Path(escape(text)));
    }
    Ok(format!("'{}'", text.replace('%', "%%")))
}

/// The configuration's own path: `ProxyJump` makes `ssh` start a second one through a shell, with this path unquoted.
pub fn check_own_path(path: &Path) -> Result<(), SshConfigError> {
    let fits = path.to_str().is_some_and(|text| text.chars().all(|c| c.is_alphanumeric() || "/._-+@,=:".contains(c)));
    if fits { Ok(()) } else { Err(SshConfigError::Path(escape(&path.display().to_string()))) }
}

/// Options of ssh(1) that take a value, as the next word when it isn't attached.
const WITH_VALUE: &str = "BbcDEeFIiJLlmOoPpQRSWw";

/// What `ssh`'s options mean for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// One of its own, as the configuration says.
    Plain,
    /// One that may be there already: the master that a `ControlPath` leads to.
    Shared,
    /// None, or by another way than the configuration's.
    Other,
}

impl Purpose {
    pub fn of(options: &[String]) -> Self {
        let mut found = Self::Plain;
        for (letter, value) in letters(options) {
            match letter {
                'F' | 'G' | 'J' | 'O' | 'Q' | 'V' => return Self::Other,
                'S' => found = Self::Shared,
                'o' => match keyword(value).as_str() {
                    "proxycommand" | "proxyjump" | "proxyusefdpass" | "hostname" => return Self::Other,
                    "controlpath" => found = Self::Shared,
                    _ => {}
                },
                _ => {}
            }
        }
        found
    }
}

/// The keyword of an option in the form of the configuration file.
fn keyword(option: &str) -> String {
    option.trim_start().chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Every option with its value, which is empty where it takes none.
fn letters(options: &[String]) -> Vec<(char, &str)> {
    let mut found = Vec::new();
    let mut words = options.iter();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-') else { continue };
        for (index, letter) in letters.char_indices() {
            if !WITH_VALUE.contains(letter) {
                found.push((letter, ""));
                continue;
            }
            // It takes the rest of the word, or the next one.
            let attached = &letters[index + letter.len_utf8()..];
            found.push((letter, if attached.is_empty() { words.next().map_or("", String::as_str) } else { attached }));
            break;
        }
    }
    found
}

/// The forwards among `ssh`'s options: what a consent has to name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwards {
    /// Where `-L` leads.
    pub to: Vec<Target>,
    /// `-D`: wherever a program behind it wants to go.
    pub any: bool,
    /// `-R`.
    pub remote: bool,
}

impl Forwards {
    pub fn of(options: &[String]) -> Self {
        let mut found = Self::default();
        for (letter, value) in letters(options) {
            match letter {
                'L' => found.to.extend(forward_target(value)),
                'D' => found.any = true,
                'R' => found.remote = true,
                _ => {}
            }
        }
        found
    }
}

/// The place in `[ADDRESS:]PORT:HOST:HOSTPORT`; `None` for sockets, which ssh itself explains.
fn forward_target(spec: &str) -> Option<Target> {
    let (rest, port) = spec.rsplit_once(':')?;
    let host = match rest.rfind('[').filter(|_| rest.ends_with(']')) {
        Some(bracket) => &rest[bracket..],
        None => rest.rsplit_once(':')?.1,
    };
    format!("{host}:{port}").parse().ok()
}

/// Splits the words after the device into `ssh`'s own options and the command to run there.
pub fn split_options(words: &[String]) -> (&[String], &[String]) {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if word == "--" {
            return (&words[..at], &words[at + 1..]);
        }
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else { break };
        at += 1;
        // The first letter with a value takes the rest of the word, or the next one.
        if let Some(index) = letters.find(|letter| WITH_VALUE.contains(letter))
            && index + 1 == letters.len()
        {
            at += 1;
        }
    }
    words.split_at(at.min(words.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config<'a>(keys: &'a (PublicKey, PublicKey), device: &'a NeName, user: &'a PersonName, path: &str) -> SshConfig<'a> {
        SshConfig {
            jump: Jump::parse("127.0.0.1:2222", "").unwrap(),
            gateway_keys: vec![&keys.0],
            devices: vec![(device, &keys.1)],
            user,
            identity: Some(path.into()),
            known_hosts: "/tmp/known_hosts".into(),
            proxy: None,
        }
    }

    fn keys() -> (PublicKey, PublicKey) {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl evil\"comment";
        (key.parse().unwrap(), key.parse().unwrap())
    }

    #[test]
    fn the_configuration_is_what_ssh_takes() {
        let (keys, device, user) = (keys(), "ne-1.jw.ne".parse().unwrap(), "engineer-a".parse().unwrap());
        let config = config(&keys, &device, &user, "/home/a b/100%/id");
        insta::assert_snapshot!(config.text().unwrap());
        assert!(config.known_hosts_text().unwrap().lines().all(|line| line.split(' ').count() == 3), "a comment came along");

        // Stock ssh reads it back as it was meant.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, config.text().unwrap()).unwrap();
        let shown = std::process::Command::new("ssh").arg("-G").arg("-F").arg(&path).arg("--").arg("ne-1.jw.ne").output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        for line in ["proxyjump centre", "user engineer-a", "stricthostkeychecking true", "serveraliveinterval 0", "identitiesonly yes"] {
            assert!(shown.lines().any(|l| l == line), "{line} is not in\n{shown}");
        }
        assert!(shown.contains("identityfile /home/a b/100%%/id"), "{shown}");
    }

    #[test]
    fn a_line_goes_before_the_gateway_and_stock_jumps_go_before_the_line() {
        let (keys, device, user) = (keys(), "ne-1.jw.ne".parse().unwrap(), "engineer-a".parse().unwrap());
        let words = ["/opt/a b/lineman", "proxy", "--server", "https://[2001:db8::1]:7443"].map(str::to_owned);
        let config = SshConfig { proxy: Some(proxy_command(&words).unwrap()), ..config(&keys, &device, &user, "/id") };
        insta::assert_snapshot!(config.text().unwrap());

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, config.text().unwrap()).unwrap();
        let shown = |words: &[&str]| {
            let shown = std::process::Command::new("ssh").arg("-G").arg("-F").arg(&path).args(words).output().unwrap();
            String::from_utf8(shown.stdout).unwrap()
        };
        let has = |words: &[&str], lines: &[&str]| {
            let shown = shown(words);
            let missing: Vec<_> = lines.iter().filter(|line| !shown.lines().any(|l| l == **line)).collect();
            assert!(missing.is_empty(), "{missing:?} is not in\n{shown}");
        };
        let command = "proxycommand '/opt/a b/lineman' proxy --server 'https://[2001:db8::1]:7443' --user '%r' '%h'";
        has(&["ne-1.jw.ne"], &[command, "proxyusefdpass yes", "user engineer-a", "stricthostkeychecking true", "serveraliveinterval 0"]);
        has(&["-J", "centre", "ne-1.jw.ne"], &["proxyjump centre", "user engineer-a", "stricthostkeychecking true"]);
        has(&["ne-2.jw.ne"], &["proxyjump centre", "proxyusefdpass no", "stricthostkeychecking true"]);
        // Without devices there is nothing to name.
        let none = SshConfig { devices: Vec::new(), ..config };
        assert!(!none.text().unwrap().contains("ProxyCommand"));
    }

    #[test]
    fn words_of_a_command_mean_themselves_to_every_shell() {
        for (word, quoted) in [
            ("/usr/bin/lineman", "/usr/bin/lineman"),
            ("", "''"),
            ("/a b/$(id)/`id`", "'/a b/$(id)/`id`'"),
            ("/100%/%h", "'/100%%/%%h'"),
            ("~/x", "'~/x'"),
            ("/home/张三/lineman", "'/home/张三/lineman'"),
            ("/a;b&c|d>e<f*?[g]{h}#\"i", "'/a;b&c|d>e<f*?[g]{h}#\"i'"),
        ] {
            assert_eq!(shell_word(word).unwrap(), quoted);
            let words = ["printf", "%s", word].map(|word| shell_word(word).unwrap().replace("%%", "%")).join(" ");
            for shell in ["sh", "bash"] {
                let said = std::process::Command::new(shell).args(["-c", &words]).output().unwrap();
                assert_eq!(String::from_utf8(said.stdout).unwrap(), word, "{shell}");
            }
        }
        for word in ["/it's", "/a\\b", "/a!b", "/a\nb", "/a\tb"] {
            assert!(shell_word(word).is_err(), "{word:?}");
        }
    }

    #[test]
    fn options_say_what_becomes_of_the_connection() {
        let of = |text: &str| Purpose::of(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        for text in ["", "-v", "-tt -o BatchMode=yes", "-N -L 1:a:2", "-M", "-o ControlMaster=auto", "-l -S", "-i -J", "-oSendEnv=O"] {
            assert_eq!(of(text), Purpose::Plain, "{text}");
        }
        for text in ["-o ControlPath=/x", "-oControlPath=/x", "-o controlpath=none", "-S /x", "-NS/x", "-vS /x -o ControlPersist=60"] {
            assert_eq!(of(text), Purpose::Shared, "{text}");
        }
        for text in ["-G", "-vG", "-J centre", "-F none", "-O exit -S /x", "-o ProxyCommand=none", "-oproxyjump=a", "-o ControlPath=/x -V"]
        {
            assert_eq!(of(text), Purpose::Other, "{text}");
        }
    }

    #[test]
    fn hostile_gateways_are_refused() {
        for text in [
            "",
            "host",
            "host:",
            "host:0",
            "host:70000",
            ":22",
            "-oProxyCommand=id:22",
            "a b:22",
            "a\nProxyCommand id:22",
            "a;id:22",
            "$(id):22",
            "%h:22",
            "[::1:22",
            "user@host:22",
        ] {
            assert!(Jump::parse(text, "127.0.0.1").is_err(), "{text:?}");
        }
        assert_eq!(Jump::parse("[::1]:22", "").unwrap().host, "::1");
        assert_eq!(Jump::parse("0.0.0.0:2222", "support.example").unwrap().host, "support.example");
    }

    #[test]
    fn hostile_paths_are_refused() {
        for path in ["/a\"b", "/a\nProxyCommand id", "/a\\b", "/${HOME}", "/`id`"] {
            assert!(quoted(Path::new(path)).is_err(), "{path:?}");
        }
        for path in ["/a b/config", "/a;id/config", "/$(id)", "/a'b", "/a&b"] {
            assert!(check_own_path(Path::new(path)).is_err(), "{path:?}");
        }
        assert!(check_own_path(Path::new("/home/张三/.cache/lineman/ssh/ab12/config")).is_ok());
    }

    #[test]
    fn a_gateway_without_a_key_is_not_reached_blindly() {
        let (keys, device, user) = (keys(), "ne-1.jw.ne".parse().unwrap(), "engineer-a".parse().unwrap());
        let config = SshConfig { gateway_keys: Vec::new(), ..config(&keys, &device, &user, "/id") };
        assert_eq!(config.known_hosts_text(), Err(SshConfigError::NoGatewayKey));
    }

    #[test]
    fn forwards_are_found_among_the_options() {
        let of = |text: &str| Forwards::of(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let to = |text: &str| of(text).to.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (text, target) in [
            ("-L 8443:10.0.0.5:443", "10.0.0.5:443"),
            ("-NL8443:10.0.0.5:443", "10.0.0.5:443"),
            ("-N -L 127.0.0.1:8443:db.local:5432", "db.local:5432"),
            ("-L 8443:[2001:db8::5]:443", "[2001:db8::5]:443"),
            ("-L [::1]:8443:[2001:db8::5]:443 -v", "[2001:db8::5]:443"),
        ] {
            assert_eq!(to(text), [target], "{text}");
        }
        assert_eq!(to("-L 1:a:2 -L 2:b:3"), ["a:2", "b:3"]);
        for text in ["", "-L", "-L x", "-L /run/a:/run/b", "-o LocalForward=x", "-l user", "-i -L"] {
            assert!(to(text).is_empty(), "{text}");
        }
        assert!(of("-D 1080").any && of("-R 1:b:2").remote && !of("-o D").any);
    }

    #[test]
    fn options_of_ssh_and_the_command_are_told_apart() {
        let split = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            let (options, command) = split_options(&words);
            (options.join(" "), command.join(" "))
        };
        for (text, options, command) in [
            ("", "", ""),
            ("ne show alarm", "", "ne show alarm"),
            ("-t ne reset fan-2", "-t", "ne reset fan-2"),
            ("-o BatchMode=yes id -u", "-o BatchMode=yes", "id -u"),
            ("-oBatchMode=yes id", "-oBatchMode=yes", "id"),
            ("-vL 1:h:2 -N", "-vL 1:h:2 -N", ""),
            ("-T -- -weird", "-T", "-weird"),
            ("-o", "-o", ""),
        ] {
            assert_eq!(split(text), (options.to_owned(), command.to_owned()), "{text:?}");
        }
    }
}
