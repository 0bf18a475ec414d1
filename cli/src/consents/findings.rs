//! What an approver's machine found out about a request, in words: one line each, in English or Chinese.
//!
//! A finding states what was checked here, against the carrier's own files, or what is unusual. None of them is the centre's opinion.

use jiff::Timestamp;
use lineman_common::name::{NeName, PersonName};
use lineman_common::printable::escape;
use lineman_common::session::{Doors, Grade};
use lineman_common::statement::KeyClass;

use crate::output::span;

/// The languages that an approver is spoken to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    #[default]
    En,
    Zh,
}

impl Lang {
    /// Picks one of two texts.
    pub const fn of<'a>(self, en: &'a str, zh: &'a str) -> &'a str {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }
}

/// How much a finding should move the person who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Checked, and right.
    Good,
    /// Good to know.
    Note,
    /// Look twice.
    Warn,
    /// Something is not as it should be.
    Bad,
}

impl Weight {
    pub const fn word(self, lang: Lang) -> &'static str {
        match self {
            Self::Good => lang.of("ok", "通过"),
            Self::Note => lang.of("note", "说明"),
            Self::Warn => lang.of("WARN", "注意"),
            Self::Bad => lang.of("BAD", "异常"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The roster is signed by the vendor root that is pinned here.
    Roster {
        counter: u64,
        expiry: Timestamp,
    },
    /// The engineer whom the roster lists signed the request.
    Engineer {
        name: PersonName,
        level: Option<u8>,
        key: String,
    },
    /// A technician of this carrier vouches for the device and its host key.
    Device {
        device: NeName,
        host_key: String,
        vouched_by: PersonName,
    },
    /// The key that is about to sign.
    OwnKey {
        approver: PersonName,
        key: String,
        certificate: bool,
    },
    SignersExpire {
        at: Timestamp,
    },
    /// The centre could act in this session.
    Gateway,
    /// Somebody else's approval, with a key of which class.
    Approved {
        approver: PersonName,
        class: KeyClass,
        doors: Doors,
        duration_s: u32,
    },
    /// Somebody's approval is shown by the centre, and does not hold.
    ApprovalDoubt {
        why: String,
    },
    /// What all approvals together allow.
    Together {
        doors: Doors,
        duration_s: u32,
    },
    /// After this one, so many others have to sign.
    MoreNeeded {
        have: usize,
        needed: u8,
    },
    NoReceipt {
        why: String,
    },
    ReceiptDoubt {
        why: String,
    },
    /// The device holds the lists that this machine holds.
    Holds {
        list: u64,
        roster: u64,
        at: Timestamp,
    },
    HoldsOlder {
        list: u64,
        mine: u64,
    },
    HoldsNewer {
        list: u64,
        mine: u64,
    },
    HoldsOther {
        list: u64,
    },
    /// The device has seen a newer roster than the one that the centre shows.
    RosterAhead {
        device: u64,
        shown: u64,
    },
    OtherApprovals {
        device: u8,
        centre: u8,
    },
    GradeNotTaken {
        grade: Grade,
        takes: String,
    },
    Stopped {
        by: String,
    },
}

impl Finding {
    pub const fn weight(&self) -> Weight {
        match self {
            Self::Roster { .. } | Self::Engineer { .. } | Self::Device { .. } | Self::OwnKey { .. } | Self::Holds { .. } => Weight::Good,
            Self::Approved { class: KeyClass::Own, .. } | Self::Together { .. } | Self::MoreNeeded { .. } => Weight::Note,
            Self::SignersExpire { .. }
            | Self::Approved { class: KeyClass::Page, .. }
            | Self::Gateway
            | Self::NoReceipt { .. }
            | Self::HoldsOlder { .. }
            | Self::HoldsNewer { .. }
            | Self::OtherApprovals { .. }
            | Self::GradeNotTaken { .. }
            | Self::Stopped { .. } => Weight::Warn,
            Self::ApprovalDoubt { .. } | Self::ReceiptDoubt { .. } | Self::HoldsOther { .. } | Self::RosterAhead { .. } => Weight::Bad,
        }
    }

    /// One line, safe to show. `moment` writes a time as the reader wants it.
    pub fn text(&self, lang: Lang, moment: &dyn Fn(Timestamp) -> String) -> String {
        let text = match lang {
            Lang::En => self.english(moment),
            Lang::Zh => self.chinese(moment),
        };
        escape(&text)
    }

    fn english(&self, moment: &dyn Fn(Timestamp) -> String) -> String {
        match self {
            Self::Roster { counter, expiry } => format!("roster {counter}, signed by your vendor root, good until {}", moment(*expiry)),
            Self::Engineer { name, level, key } => {
                let level = level.map(|level| format!(" (level {level})")).unwrap_or_default();
                format!("{name}{level} signed the request, with the key that the roster lists ({key})")
            }
            Self::Device { device, host_key, vouched_by } => format!("{device} is yours: {vouched_by} vouches for {host_key}"),
            Self::OwnKey { approver, key, certificate } => {
                let how = if *certificate { "by its certificate" } else { "by your signer list" };
                format!("your key may sign as {approver}, {how} ({key})")
            }
            Self::SignersExpire { at } => format!("your signer list expires at {}: after that, nobody can approve", moment(*at)),
            Self::Gateway => "grade gateway: the centre could act in this session, as if it were the engineer".to_owned(),
            Self::Approved { approver, class, doors, duration_s } => {
                class.remarked(&format!("{approver} approved {doors} for {}", span(u64::from(*duration_s))))
            }
            Self::ApprovalDoubt { why } => format!("an approval that the centre shows does not hold: {why}"),
            Self::Together { doors, duration_s } => format!("all approvals together allow {doors} for {}", span(u64::from(*duration_s))),
            Self::MoreNeeded { have, needed } => format!("with yours, {} of {needed} people have approved", have + 1),
            Self::NoReceipt { why } => format!("it is not known which lists the device holds: {why}"),
            Self::ReceiptDoubt { why } => format!("what the device is said to hold can't be believed: {why}"),
            Self::Holds { list, roster, at } => {
                format!("the device holds your list {list} and roster {roster}, as it signed at {}", moment(*at))
            }
            Self::HoldsOlder { list, mine } => format!("the device has not got list {mine} yet: it holds {list}"),
            Self::HoldsNewer { list, mine } => format!("the device holds list {list}, and this machine only {mine}: get the newer one"),
            Self::HoldsOther { list } => format!("the device holds a list {list} that is not the one on this machine"),
            Self::RosterAhead { device, shown } => {
                format!("the device holds roster {device}, and the centre shows the older {shown}: it will be refused")
            }
            Self::OtherApprovals { device, centre } => format!("the device wants {device} approvals, and the centre says {centre}"),
            Self::GradeNotTaken { grade, takes } => format!("the device takes {takes}, not {grade}: it will be refused"),
            Self::Stopped { by } => format!("the device is stopped ({by}): nobody gets in until that is taken back"),
        }
    }

    fn chinese(&self, moment: &dyn Fn(Timestamp) -> String) -> String {
        match self {
            Self::Roster { counter, expiry } => format!("名册 {counter} 由您的设备商根密钥签名，有效期至 {}", moment(*expiry)),
            Self::Engineer { name, level, key } => {
                let level = level.map(|level| format!("（{level} 级）")).unwrap_or_default();
                format!("{name}{level} 用名册所列密钥签署了申请（{key}）")
            }
            Self::Device { device, host_key, vouched_by } => format!("{device} 属于贵方：{vouched_by} 为 {host_key} 担保"),
            Self::OwnKey { approver, key, certificate } => {
                let how = if *certificate { "凭证书" } else { "在签名人清单中" };
                format!("您的密钥可以 {approver} 的名义签名，{how}（{key}）")
            }
            Self::SignersExpire { at } => format!("您的签名人清单将于 {} 到期，之后无人可以批准", moment(*at)),
            Self::Gateway => "网关级别：支持中心可以在此会话中操作，如同工程师本人".to_owned(),
            Self::Approved { approver, class, doors, duration_s } => {
                let place = match class {
                    KeyClass::Own => "",
                    KeyClass::Page => "（在厂商提供的页面中批准）",
                };
                format!("{approver} 已批准 {doors}，时长 {}{place}", span(u64::from(*duration_s)))
            }
            Self::ApprovalDoubt { why } => format!("中心出示的一份批准无效：{why}"),
            Self::Together { doors, duration_s } => format!("所有批准合起来允许 {doors}，时长 {}", span(u64::from(*duration_s))),
            Self::MoreNeeded { have, needed } => format!("加上您，{needed} 人中已有 {} 人批准", have + 1),
            Self::NoReceipt { why } => format!("不知道设备持有哪些清单：{why}"),
            Self::ReceiptDoubt { why } => format!("关于设备持有清单的说法不可信：{why}"),
            Self::Holds { list, roster, at } => {
                format!("设备持有您的清单 {list} 和名册 {roster}（设备于 {} 签名确认）", moment(*at))
            }
            Self::HoldsOlder { list, mine } => format!("设备尚未收到清单 {mine}，仍持有 {list}"),
            Self::HoldsNewer { list, mine } => format!("设备持有清单 {list}，本机只有 {mine}：请取得新清单"),
            Self::HoldsOther { list } => format!("设备持有的清单 {list} 与本机的不同"),
            Self::RosterAhead { device, shown } => format!("设备持有名册 {device}，中心出示的是较旧的 {shown}：设备会拒绝"),
            Self::OtherApprovals { device, centre } => format!("设备要求 {device} 人批准，中心却说 {centre} 人"),
            Self::GradeNotTaken { grade, takes } => format!("设备接受 {takes}，不接受 {grade}：设备会拒绝"),
            Self::Stopped { by } => format!("设备已停用（{by}）：解除之前谁也进不去"),
        }
    }
}

/// What a grade means, for those who allow it.
pub const fn grade_meaning(grade: Grade, lang: Lang) -> &'static str {
    match grade {
        Grade::EndToEnd => lang.of(
            "one engineer's key gets in; the centre passes on what it can't read",
            "只有一名工程师的密钥可以进入；中心只转发，无法读取",
        ),
        Grade::Role => {
            lang.of("any engineer of the level gets in, under a standing statement", "在常设授权下，达到级别的任何工程师都可以进入")
        }
        Grade::Gateway => lang.of(
            "the centre's gateway gets in for the engineer: the centre could act in this session",
            "中心的网关代工程师进入：中心可以在此会话中操作",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_can_not_act_on_the_screen() {
        let finding = Finding::Stopped { by: "root\x1b[2J\u{202e}".into() };
        for lang in [Lang::En, Lang::Zh] {
            let text = finding.text(lang, &|time| time.to_string());
            assert!(text.contains("\\u{1b}[2J\\u{202e}"), "{text}");
        }
        assert_eq!(finding.weight(), Weight::Warn);
    }
}
