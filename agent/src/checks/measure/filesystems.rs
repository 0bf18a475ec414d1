//! How full the file systems are.
//!
//! `/proc/self/mountinfo` says what is mounted, and `statvfs` how full it is. Only types that hold the equipment's own data
//! count: network and FUSE file systems could block the round for ever, and read-only images are always full. One
//! device is reported once, where it was mounted first, however often it is mounted.

use rustix::fs::statvfs;

use super::{Round, segment};

/// Types on local, writable storage, raw flash included.
const LOCAL_TYPES: [&str; 20] = [
    "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfsplus", "jffs2", "jfs", "minix", "msdos", "nilfs2", "ntfs3",
    "reiserfs", "ubifs", "vfat", "xfs", "yaffs2", "zfs",
];

/// A host of containers may have hundreds; a report must stay small.
const MOST: usize = 32;

struct Mount {
    device: String,
    point: String,
}

pub fn measure(round: &mut Round<'_>) {
    let path = round.roots.proc.join("self/mountinfo");
    let Some(text) = round.reader.read(&path) else { return };
    for mount in mounts(text) {
        put(round, &mount.point);
    }
}

fn mounts(text: &str) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for (device, point, kind) in text.lines().filter_map(fields) {
        let point = unescape(point);
        // What is mounted over another hides it.
        mounts.retain(|mount| mount.point != point);
        let local = LOCAL_TYPES.contains(&kind) || (kind == "overlay" && point == "/");
        if local && mounts.len() < MOST && mounts.iter().all(|mount| mount.device != device) {
            mounts.push(Mount { device: device.to_owned(), point });
        }
    }
    mounts
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`: device, mount point, type.
fn fields(line: &str) -> Option<(&str, &str, &str)> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mut words = mount.split(' ').skip(2);
    let (device, point) = (words.next()?, words.nth(1)?);
    Some((device, point, filesystem.split(' ').next()?))
}

/// The kernel writes space, tab, line feed and backslash as three octal digits.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        out.push(code.map_or('\\', char::from));
        rest = &rest[at + if code.is_some() { 4 } else { 1 }..];
    }
    out.push_str(rest);
    out
}

fn put(round: &mut Round<'_>, point: &str) {
    let Ok(stat) = statvfs(point) else { return };
    let name = segment(point);
    let used = stat.f_blocks.saturating_sub(stat.f_bfree);
    // As `df` has it: blocks that only root may use are neither used nor free.
    let usable = used.saturating_add(stat.f_bavail);
    if usable == 0 {
        return;
    }
    round.put_percent(format!("fs.{name}.used_percent"), used, usable);
    round.put(format!("fs.{name}.free_bytes"), stat.f_bavail as f64 * stat.f_frsize as f64);
    round.put(format!("fs.{name}.size_bytes"), stat.f_blocks as f64 * stat.f_frsize as f64);
    // btrfs and others have no fixed number of inodes, and say 0.
    round.put_percent(format!("fs.{name}.inodes_used_percent"), stat.f_files.saturating_sub(stat.f_ffree), stat.f_files);
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Tree;
    use super::*;

    #[test]
    fn local_file_systems_once_each() {
        let text = "\
            21 1 0:5 / /proc rw - proc proc rw\n\
            22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n\
            23 22 0:40 / /mnt/nfs rw - nfs4 server:/export rw\n\
            24 22 0:41 / /mnt/user rw - fuse.sshfs host: rw\n\
            25 22 8:1 /var/lib /srv/bind rw shared:1 master:2 - ext4 /dev/sda1 rw\n\
            26 22 8:2 / /data\\040disk rw - xfs /dev/sda2 rw\n\
            27 22 7:0 / /snap ro - squashfs /dev/loop0 ro\n\
            28 22 8:3 / /hidden rw - ext4 /dev/sda3 rw\n\
            29 22 0:50 / /hidden rw - tmpfs none rw\n\
            30 22 0:51 / /container rw - overlay overlay rw\n\
            too short\n";
        let points: Vec<_> = mounts(text).into_iter().map(|mount| mount.point).collect();
        assert_eq!(points, ["/", "/data disk"]);
    }

    #[test]
    fn octal_escapes() {
        assert_eq!(unescape(r"/a\040b\134c\011"), "/a b\\c\t");
        assert_eq!(unescape(r"/a\9\"), r"/a\9\");
    }

    #[test]
    fn a_real_file_system_is_measured() {
        let mut tree = Tree::new();
        let point = tree.dir.path().to_str().unwrap().to_owned();
        tree.write(
            "proc/self/mountinfo",
            format!("22 1 8:1 / {point} rw - ext4 /dev/sda1 rw\n23 1 8:2 / /no/such/place rw - ext4 /dev/sda2 rw\n"),
        );
        let metrics = tree.round(true, measure);
        let used = metrics[&format!("fs.{}.used_percent", segment(&point))];
        assert!((0.0..=100.0).contains(&used), "{used}");
        assert!(!metrics.keys().any(|name| name.contains("no/such")));
    }
}
