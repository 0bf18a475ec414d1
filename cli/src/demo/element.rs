//! The simulated network element: a directory with one value per file, and a `ne` command that shows and resets them.
//!
//! The agent reads the values as it would read `/sys/class/hwmon`, so breaking the element means writing a bad value, and
//! everything after that is real: the check, the alarm, the fault, the session that runs `ne reset fan-2`, the clearing.
//!
//! Sessions run in this directory as an unprivileged account. When the demo runs as root that account is `nobody` (or
//! `daemon`, for the profile `operate`), which must be able to walk to the directory; where it can't (a home directory with mode 0700), the elements are put under the
//! system's directory for temporary files instead, and go with the demo all the same.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use lineman_common::name::NeName;

use super::place::{Place, make_dir, write};
use super::{Error, plan};

const NE: &str = include_str!("ne.sh");

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// fan-2 stops, and board-3 gets hot
    Fan,
    /// port-1 receives no light
    Link,
    /// the log partition is nearly full
    Disk,
}

/// A sensor's file with its bad and its good value.
type Change = (&'static str, &'static str, &'static str);

impl Part {
    pub const ALL: [Self; 3] = [Self::Fan, Self::Link, Self::Disk];

    const fn changes(self) -> &'static [Change] {
        match self {
            Self::Fan => &[("fan-2.speed_rpm", "0", "4180"), ("board-3.temperature_celsius", "78", "46.5")],
            Self::Link => &[("port-1.rx_power_dbm", "-40", "-8.1")],
            Self::Disk => &[("log.used_percent", "97", "21")],
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fan => "fan",
            Self::Link => "link",
            Self::Disk => "disk",
        }
    }
}

/// What the sensors read on a sound element.
const SENSORS: [(&str, &str); 14] = [
    ("fan-1.speed_rpm", "4210"),
    ("fan-2.speed_rpm", "4180"),
    ("fan-3.speed_rpm", "4195"),
    ("board-1.temperature_celsius", "41.0"),
    ("board-2.temperature_celsius", "43.5"),
    ("board-3.temperature_celsius", "46.5"),
    ("board-4.temperature_celsius", "44.0"),
    ("port-1.rx_power_dbm", "-8.1"),
    ("port-1.tx_power_dbm", "-2.3"),
    ("port-2.rx_power_dbm", "-9.4"),
    ("port-2.tx_power_dbm", "-2.6"),
    ("psu-1.voltage_v", "53.4"),
    ("psu-2.voltage_v", "53.5"),
    ("log.used_percent", "21"),
];

/// The accounts that sessions on the elements run as: one for each profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// The agent's own: it is not root, so it can't become anybody else.
    Own,
    /// Two that every Debian has and that own nothing: `nobody` looks and resets, `daemon` may also change the configuration.
    Others { view: Owner, operate: Owner },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    uid: u32,
    gid: u32,
}

const VIEW: &str = "nobody";
const OPERATE: &str = "daemon";
/// What of an element the operator's sessions start in.
const OPERATORS_HOME: &str = "operator";

impl Account {
    pub fn choose() -> Result<Self, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        let passwd = fs::read_to_string("/etc/passwd").map_err(|source| Error::file("read", Path::new("/etc/passwd"), source))?;
        let find = |name| owner(&passwd, name).ok_or(Error::NoAccount(name));
        Ok(Self::Others { view: find(VIEW)?, operate: find(OPERATE)? })
    }

    /// The profiles, each with its Unix account as the agent's configuration names it, and its home in the element's folder.
    pub fn profiles(&self, dir: &Path) -> [(&'static str, &'static str, PathBuf); 2] {
        let (view, operate) = match self {
            Self::Own => ("@self", "@self"),
            Self::Others { .. } => (VIEW, OPERATE),
        };
        [("view", view, dir.to_owned()), ("operate", operate, dir.join(OPERATORS_HOME))]
    }

    /// To those who look.
    fn give(&self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Own => Ok(()),
            Self::Others { view, .. } => own(path, view.uid, view.gid),
        }
    }

    /// To those who operate alone.
    fn give_operators(&self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Own => Ok(()),
            Self::Others { operate, .. } => own(path, operate.uid, operate.gid),
        }
    }

    /// To both: the operators' group may write, and what is made in a folder stays that group's.
    fn share(&self, path: &Path) -> Result<(), Error> {
        let Self::Others { view, operate } = self else { return Ok(()) };
        own(path, view.uid, operate.gid)?;
        let mode = if path.is_dir() { 0o2775 } else { 0o664 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|source| Error::file("change the mode of", path, source))
    }
}

fn own(path: &Path, uid: u32, gid: u32) -> Result<(), Error> {
    chown(path, Some(uid), Some(gid)).map_err(|source| Error::file("change the owner of", path, source))
}

fn owner(passwd: &str, name: &str) -> Option<Owner> {
    let line = passwd.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))?;
    let mut fields = line.split(':').skip(2).map(str::parse);
    Some(Owner { uid: fields.next()?.ok()?, gid: fields.next()?.ok()? })
}

/// The directory that will hold all elements: in the demo's own, if the account can get there.
pub fn home(place: &Place, account: &Account) -> Result<PathBuf, Error> {
    let inside = place.elements();
    if *account == Account::Own {
        make_dir(&inside, 0o700)?;
        return Ok(inside);
    }
    if place.dir().parent().is_none_or(passable) {
        // Names can't be listed, and everything else in it stays closed.
        make_dir(place.dir(), 0o711)?;
        make_dir(&inside, 0o711)?;
        return Ok(inside);
    }
    let candidates = [std::env::temp_dir(), "/var/tmp".into(), "/tmp".into()];
    let outside = candidates.iter().find(|dir| passable(dir)).ok_or_else(|| Error::Unreachable { dir: place.dir().to_owned() })?;
    let made = tempfile::Builder::new().prefix("lineman-demo-elements-").tempdir_in(outside);
    let dir = made.map_err(|source| Error::file("make a directory in", outside, source))?.keep();
    // Found again by its link when the demo ends, even if it never came up.
    std::os::unix::fs::symlink(&dir, &inside).map_err(|source| Error::file("make", &inside, source))?;
    make_dir(&dir, 0o711)?;
    Ok(dir)
}

/// Deletes elements that are not inside the demo's directory.
pub fn remove_outside(place: &Place) -> Result<(), Error> {
    let Ok(dir) = fs::read_link(place.elements()) else { return Ok(()) };
    let ours = dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lineman-demo-elements-"));
    match fs::remove_dir_all(&dir) {
        _ if !ours => Ok(()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("delete", &dir, error)),
        _ => Ok(()),
    }
}

/// Can any account walk through this directory?
fn passable(dir: &Path) -> bool {
    let Ok(dir) = dir.canonicalize() else { return false };
    dir.ancestors().all(|dir| fs::metadata(dir).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0))
}

/// Makes one element, sound. `dir` is its home.
pub fn make(dir: &Path, name: &NeName, equipment: &plan::Equipment, account: &Account) -> Result<(), Error> {
    make_dir(dir, 0o755)?;
    for folder in ["sensors", "logs", "config", "etc", "bin", OPERATORS_HOME] {
        make_dir(&dir.join(folder), 0o755)?;
    }
    for (sensor, value) in SENSORS {
        write(&dir.join("sensors").join(sensor), 0o644, format!("{value}\n"))?;
    }
    write(&dir.join("bin/ne"), 0o755, NE)?;
    write(&dir.join("etc/version"), 0o644, version(name, equipment))?;
    write(&dir.join("etc/cards"), 0o644, cards(equipment))?;
    write(&dir.join("config/running.cfg"), 0o644, running_config(name, equipment))?;
    write(
        &dir.join("logs/ne.log"),
        0o644,
        format!("{} {name}: start-up complete, all cards in service\n", jiff::Timestamp::now().strftime("%FT%TZ")),
    )?;
    let profile = format!("PS1='{}$ '\nPATH='{}':$PATH\nexport PATH\n", name.handle, shell_quoted(&dir.join("bin")));
    write(&dir.join(".profile"), 0o644, &profile)?;
    write(&dir.join(".bashrc"), 0o644, &profile)?;
    for file in [".profile", ".bashrc"] {
        let path = dir.join(OPERATORS_HOME).join(file);
        write(&path, 0o644, &profile)?;
        account.give_operators(&path)?;
    }
    // Not bin and etc: a session may change values and files of its own, not the element's command.
    for path in ["", ".profile", ".bashrc"] {
        account.give(&dir.join(path))?;
    }
    for path in ["config", "config/running.cfg", OPERATORS_HOME] {
        account.give_operators(&dir.join(path))?;
    }
    for path in ["sensors", "logs", "logs/ne.log"] {
        account.share(&dir.join(path))?;
    }
    SENSORS.iter().try_for_each(|(sensor, _)| account.share(&dir.join("sensors").join(sensor)))
}

/// For between single quotes.
fn shell_quoted(path: &Path) -> String {
    path.to_string_lossy().replace('\'', r"'\''")
}

fn version(name: &NeName, equipment: &plan::Equipment) -> String {
    let plan::Equipment { product, model, serial, software, .. } = equipment;
    format!(
        "Element    {name}  (simulated, demo data / 模拟网元，演示数据)\nProduct    {product}\nModel      {model}\nSerial     {serial}\nSoftware   {software}\n"
    )
}

/// Slot, name and type of each card. The names are those of the temperature sensors.
fn cards(equipment: &plan::Equipment) -> String {
    let [one, two, three, four] = equipment.cards;
    format!("1 board-1 {one}\n2 board-2 {two}\n3 board-3 {three}\n4 board-4 {four}\n")
}

fn running_config(name: &NeName, equipment: &plan::Equipment) -> String {
    format!(
        "! running configuration of {name}, demo data\nhostname {}\nsoftware {}\nclock timezone {}\n!\ninterface port-1\n description uplink / 上联\n no shutdown\n!\ninterface port-2\n description downlink / 下联\n no shutdown\n!\nend\n",
        name.handle, equipment.software, equipment.site.zone
    )
}

/// Makes a part of an element really bad. Breaking it twice changes nothing.
pub fn break_part(dir: &Path, part: Part) -> Result<(), Error> {
    part.changes().iter().try_for_each(|(sensor, bad, _)| put(dir, sensor, bad))
}

/// Puts a part right from outside, as a technician on site would.
pub fn repair(dir: &Path, part: Part) -> Result<(), Error> {
    part.changes().iter().try_for_each(|(sensor, _, good)| put(dir, sensor, good))
}

/// Which parts read as broken now.
pub fn broken(dir: &Path) -> Vec<Part> {
    let reads = |sensor: &str| fs::read_to_string(dir.join("sensors").join(sensor)).unwrap_or_default();
    let is_bad = |part: &Part| part.changes().first().is_some_and(|(sensor, bad, _)| reads(sensor).trim() == *bad);
    Part::ALL.into_iter().filter(is_bad).collect()
}

/// Writes a sensor's value, and a line about it into the element's log.
fn put(dir: &Path, sensor: &str, value: &str) -> Result<(), Error> {
    let path = dir.join("sensors").join(sensor);
    let before = fs::metadata(&path).map_err(|source| Error::file("find", &path, source))?;
    write(&path, 0o644, format!("{value}\n"))?;
    if rustix::process::geteuid().is_root() {
        chown(&path, Some(before.uid()), Some(before.gid())).map_err(|source| Error::file("change the owner of", &path, source))?;
    }
    let log = dir.join("logs/ne.log");
    let line = format!("{} {sensor} = {value}\n", jiff::Timestamp::now().strftime("%FT%TZ"));
    let logged = fs::File::options().append(true).open(&log).and_then(|mut file| file.write_all(line.as_bytes()));
    match logged {
        // A session may have deleted its log; the element goes on without.
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("write", &log, error)),
        _ => Ok(()),
    }
}

/// The names of all sensors.
pub fn sensors() -> impl Iterator<Item = &'static str> {
    SENSORS.iter().map(|(sensor, _)| *sensor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    struct Element(tempfile::TempDir);

    impl Element {
        fn new() -> Self {
            let dir = tempfile::Builder::new().prefix("ele ment'").tempdir().unwrap();
            let equipment = &plan::equipment(1)[0];
            make(&dir.path().join("ne-1"), &"ne-1.jw.ne".parse().unwrap(), equipment, &Account::Own).unwrap();
            Self(dir)
        }

        fn dir(&self) -> PathBuf {
            self.0.path().join("ne-1")
        }

        /// Exit code, stdout, stderr.
        fn ne(&self, args: &[&str]) -> (i32, String, String) {
            let out = Command::new("sh").arg(self.dir().join("bin/ne")).args(args).output().unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
        }

        fn shows(&self, what: &str) -> String {
            let (code, out, err) = self.ne(&["show", what]);
            assert_eq!((code, err.as_str()), (0, ""), "{what}");
            out
        }
    }

    #[test]
    fn a_sound_element_shows_no_alarm() {
        let element = Element::new();
        assert_eq!(element.shows("alarm"), "No active alarms / 无当前告警\n");
        assert!(element.shows("version").contains("ne-1.jw.ne"));
        assert!(element.shows("fan").contains("fan-2          4180  normal 正常"), "{}", element.shows("fan"));
        assert!(element.shows("port").contains("-8.1"));
        assert_eq!(element.shows("card").lines().count(), 5);
        assert!(element.shows("temperature").contains("board-4"));
        assert!(element.shows("log").starts_with("Log partition / 日志分区: 21 % used\n"));
        assert!(broken(&element.dir()).is_empty());
    }

    #[test]
    fn what_is_broken_shows_and_its_reset_repairs_it() {
        for (part, alarms, reset, view, good) in [
            (Part::Fan, &["major     fan.speed", "warning   board.temperature"][..], ["reset", "fan-2"], "fan", "4180"),
            (Part::Link, &["critical  port.los"], ["reset", "port-1"], "port", "-8.1"),
            (Part::Disk, &["major     log.full"], ["clean", "log"], "log", "21 % used"),
        ] {
            let element = Element::new();
            let before = element.shows(view);
            break_part(&element.dir(), part).unwrap();
            break_part(&element.dir(), part).unwrap();
            assert_eq!(broken(&element.dir()), [part]);
            assert_ne!(element.shows(view), before);
            let shown = element.shows("alarm");
            assert!(alarms.iter().all(|alarm| shown.contains(alarm)), "{shown}");
            assert_eq!(shown.lines().count(), alarms.len() + 1, "{shown}");
            let (code, out, err) = element.ne(&reset);
            assert_eq!((code, err.as_str()), (0, ""));
            assert!(out.starts_with(reset[1]), "{out}");
            assert!(element.shows(view).contains(good));
            assert!(element.shows("alarm").starts_with("No active"));
            assert!(broken(&element.dir()).is_empty());
            assert!(element.shows("log").lines().count() > 2, "the reset is not in the element's log");
        }
    }

    #[test]
    fn a_repair_from_outside_puts_every_value_back() {
        let element = Element::new();
        for part in Part::ALL {
            break_part(&element.dir(), part).unwrap();
            repair(&element.dir(), part).unwrap();
        }
        for (sensor, value) in SENSORS {
            assert_eq!(std::fs::read_to_string(element.dir().join("sensors").join(sensor)).unwrap().trim(), value, "{sensor}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said_and_changes_nothing() {
        let element = Element::new();
        for args in
            [&["frob"][..], &["reset", "../../etc/passwd"], &["reset", "fan-9"], &["reset"], &["show", "tea"], &["reset", "fan-2;id"]]
        {
            let (code, out, err) = element.ne(args);
            assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
            assert!(err.contains("ne: "), "{args:?}: {err}");
        }
        let (code, out, _) = element.ne(&[]);
        assert_eq!(code, 0);
        assert!(out.contains("ne show temperature"));
    }

    #[test]
    fn an_interactive_shell_says_where_it_is() {
        let element = Element::new();
        let script = ". \"$1\"; printf %s \"$PS1\"; command -v ne";
        let out = Command::new("sh").args(["-c", script, "sh"]).arg(element.dir().join(".profile")).output().unwrap();
        let out = String::from_utf8(out.stdout).unwrap();
        assert_eq!(out.trim(), format!("ne-1$ {}", element.dir().join("bin/ne").display()));
    }

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nnobody2:x:7:7::/:/bin/sh\nnobody:x:65534:65533:nobody:/:/usr/sbin/nologin\n";
        assert_eq!(owner(passwd, "nobody"), Some(Owner { uid: 65534, gid: 65533 }));
        assert_eq!(owner("root:x:0:0::/:/bin/sh\n", "nobody"), None);
    }

    #[test]
    fn a_closed_directory_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (closed, inside) = (dir.path().join("closed"), dir.path().join("closed/inside"));
        make_dir(&inside, 0o755).unwrap();
        make_dir(&closed, 0o700).unwrap();
        assert!(!passable(&inside));
        assert!(passable(Path::new("/usr")));
    }
}
