//! Fixed words of filters: as Chinese and English speakers type them, to as they are stored.

use std::str::FromStr;

use lineman_common::alarm::{OperatorState, ResourceState, Severity};
use lineman_common::api::{ConsentState, SessionState};
use lineman_common::fault::{FaultKind, FaultStatus, Impact, PendingReason};
use lineman_common::session::{EndReason, Grade};

type Read = Result<Vec<String>, String>;

/// The word itself, or what it is called otherwise.
fn read<T: FromStr + ToString>(text: &str, also: &[(&str, &[&str])]) -> Read
where
    T::Err: std::fmt::Display,
{
    let text = text.to_lowercase();
    if let Some((_, words)) = also.iter().find(|(name, _)| *name == text) {
        return Ok(words.iter().map(|word| (*word).to_owned()).collect());
    }
    match text.parse::<T>() {
        Ok(word) => Ok(vec![word.to_string()]),
        Err(error) => Err(format!("{error}{}", others(also))),
    }
}

fn others(also: &[(&str, &[&str])]) -> String {
    let names: Vec<_> = also.iter().map(|(name, _)| *name).collect();
    if names.is_empty() { String::new() } else { format!("; or {}", names.join(", ")) }
}

pub fn severity(text: &str) -> Read {
    let also: &[(&str, &[&str])] = &[
        ("紧急", &["critical"]),
        ("重要", &["major"]),
        ("主要", &["major"]),
        ("次要", &["minor"]),
        ("警告", &["warning"]),
        ("提示", &["warning"]),
        ("未定", &["indeterminate"]),
    ];
    read::<Severity>(text, also)
}

pub fn fault_status(text: &str) -> Read {
    const OPEN: &[&str] = &["reported", "accepted", "in_progress", "pending", "restored", "resolved"];
    const OVER: &[&str] = &["closed", "rejected", "cancelled", "duplicate"];
    let also: &[(&str, &[&str])] = &[
        ("open", OPEN),
        ("over", OVER),
        ("未关闭", OPEN),
        ("已结束", OVER),
        ("待受理", &["reported"]),
        ("已报", &["reported"]),
        ("已受理", &["accepted"]),
        ("处理中", &["in_progress"]),
        ("挂起", &["pending"]),
        ("已恢复", &["restored"]),
        ("已解决", &["resolved"]),
        ("已关闭", &["closed"]),
        ("已拒绝", &["rejected"]),
        ("已撤销", &["cancelled"]),
        ("重复", &["duplicate"]),
    ];
    if matches!(text, "all" | "全部") {
        return Ok([OPEN, OVER].concat().into_iter().map(str::to_owned).collect());
    }
    read::<FaultStatus>(text, also)
}

pub fn fault_kind(text: &str) -> Read {
    let also: &[(&str, &[&str])] = &[("故障", &["fault"]), ("咨询", &["consulting"]), ("升级", &["upgrade"]), ("维护", &["maintenance"])];
    read::<FaultKind>(text, also)
}

pub fn impact(text: &str) -> Read {
    let also: &[(&str, &[&str])] =
        &[("全部中断", &[Impact::Full.as_str()]), ("部分中断", &[Impact::Partial.as_str()]), ("无影响", &[Impact::NoImpact.as_str()])];
    read::<Impact>(text, also)
}

pub fn pending(text: &str) -> Read {
    let also: &[(&str, &[&str])] = &[("客户", &["customer"]), ("备件", &["parts"]), ("进站", &["access"]), ("第三方", &["third_party"])];
    read::<PendingReason>(text, also)
}

pub fn consent_state(text: &str) -> Read {
    let also: &[(&str, &[&str])] = &[
        ("waiting", &["requested"]),
        ("open", &["requested", "approved", "live"]),
        ("待同意", &["requested"]),
        ("等待", &["requested"]),
        ("已批准", &["approved"]),
        ("有效", &["live"]),
        ("已拒绝", &["refused"]),
        ("超时", &["lapsed"]),
        ("已结束", &["ended"]),
    ];
    read::<ConsentState>(text, also)
}

pub fn session_state(text: &str) -> Read {
    read::<SessionState>(text, &[("进行中", &["live"]), ("已结束", &["ended"])])
}

pub fn end_reason(text: &str) -> Read {
    read::<EndReason>(text, &[])
}

pub fn grade(text: &str) -> Read {
    read::<Grade>(text, &[])
}

pub fn alarm_state(text: &str) -> Read {
    let also: &[(&str, &[&str])] = &[("active", &["raised"]), ("未清除", &["raised"]), ("活动", &["raised"]), ("已清除", &["cleared"])];
    read::<ResourceState>(text, also)
}

pub fn operator_state(text: &str) -> Read {
    let also: &[(&str, &[&str])] = &[
        ("ack", &["acknowledged"]),
        ("acked", &["acknowledged"]),
        ("已确认", &["acknowledged"]),
        ("未确认", &["none"]),
        ("已关闭", &["closed"]),
    ];
    read::<OperatorState>(text, also)
}

/// Tiers have the names that an administrator gave them; the usual four are known in Chinese.
pub fn tier(text: &str) -> Read {
    let name = match text {
        "白金" | "铂金" | "铂" => "platinum",
        "金" | "金牌" => "gold",
        "银" | "银牌" => "silver",
        "铜" | "铜牌" => "bronze",
        "" => return Err("name a tier, like gold".to_owned()),
        other => other,
    };
    Ok(vec![name.to_owned()])
}
