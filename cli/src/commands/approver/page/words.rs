//! The page's words, in English and Chinese.

use crate::consents::findings::Lang;

pub struct Words {
    pub code: &'static str,
    pub title: &'static str,
    pub waiting: &'static str,
    pub nobody: &'static str,
    pub connected: &'static str,
    pub connecting: &'static str,
    pub lost: &'static str,
    pub asks_for: &'static str,
    pub left: &'static str,
    pub too_late: &'static str,
    pub approved_of: &'static str,
    pub you_answered: &'static str,
    pub answer_within: &'static str,
    pub device: &'static str,
    pub wants: &'static str,
    pub account: &'static str,
    pub how_long: &'static str,
    pub why: &'static str,
    pub grade: &'static str,
    pub look_out: &'static str,
    pub you_sign: &'static str,
    pub checked: &'static str,
    pub approve: &'static str,
    pub narrow: &'static str,
    pub narrow_hint: &'static str,
    pub show_narrowed: &'static str,
    pub refuse: &'static str,
    pub reason: &'static str,
    pub back: &'static str,
    pub cannot: &'static str,
    pub wrong: &'static str,
    pub link_used: &'static str,
    pub live: &'static str,
    pub approved: &'static str,
    pub more_needed: &'static str,
    pub refused: &'static str,
    pub refused_by_device: &'static str,
    pub is_now: &'static str,
}

pub const fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::En => &ENGLISH,
        Lang::Zh => &CHINESE,
    }
}

static ENGLISH: Words = Words {
    code: "en",
    title: "Requests",
    waiting: "waiting",
    nobody: "Nobody is asking. A request shows here the moment that it arrives.",
    connected: "connected",
    connecting: "connecting",
    lost: "Not connected to the centre: this list may be old.",
    asks_for: "asks for",
    left: "left",
    too_late: "too late",
    approved_of: "approved",
    you_answered: "you answered it",
    answer_within: "Time to answer",
    device: "Device",
    wants: "Ways in",
    account: "Account",
    how_long: "For",
    why: "Why",
    grade: "Grade",
    look_out: "Look twice",
    you_sign: "You sign exactly this",
    checked: "What was checked on this machine",
    approve: "Sign and approve",
    narrow: "Narrow it",
    narrow_hint: "Fewer ways in, or less time, like 30m or 1h30m",
    show_narrowed: "Show the narrowed statement",
    refuse: "Refuse",
    reason: "Why? The engineer reads it.",
    back: "All requests",
    cannot: "This request can't be approved",
    wrong: "That did not work",
    link_used: "This page opens with the link that `lineman approver --page` printed; the link works once.",
    live: "Live: the device verified it, the engineer can get in.",
    approved: "Approved. The device has not confirmed it yet.",
    more_needed: "Approved by you. Another person has to approve it too.",
    refused: "Refused.",
    refused_by_device: "The device refused it",
    is_now: "It is",
};

static CHINESE: Words = Words {
    code: "zh",
    title: "待批申请",
    waiting: "项",
    nobody: "目前没有申请。新申请一到就会显示在这里。",
    connected: "已连接",
    connecting: "正在连接",
    lost: "与支持中心的连接已断开：此列表可能不是最新的。",
    asks_for: "申请进入",
    left: "后失效",
    too_late: "已超时",
    approved_of: "人已批准",
    you_answered: "您已答复",
    answer_within: "答复期限",
    device: "设备",
    wants: "进入方式",
    account: "账户",
    how_long: "时长",
    why: "原因",
    grade: "级别",
    look_out: "请特别注意",
    you_sign: "您签署的正是以下文本",
    checked: "本机已核对",
    approve: "签名并批准",
    narrow: "缩小范围",
    narrow_hint: "减少进入方式或缩短时间，例如 30m 或 1h30m",
    show_narrowed: "显示缩小后的文本",
    refuse: "拒绝",
    reason: "原因（工程师会看到）",
    back: "全部申请",
    cannot: "无法批准此申请",
    wrong: "操作未完成",
    link_used: "请用 `lineman approver --page` 打印的链接打开本页；该链接只能使用一次。",
    live: "已生效：设备已核实，工程师可以进入。",
    approved: "已批准，设备尚未确认。",
    more_needed: "您已批准，还需要另一人批准。",
    refused: "已拒绝。",
    refused_by_device: "设备拒绝了它",
    is_now: "当前状态",
};

/// The first of the reader's languages that the page speaks.
pub fn language(accept: Option<&str>) -> Lang {
    let mut wanted: Vec<(f32, Lang)> = accept
        .unwrap_or_default()
        .split(',')
        .filter_map(|part| {
            let mut pieces = part.trim().split(';');
            let primary = pieces.next()?.split('-').next()?.trim().to_ascii_lowercase();
            let weight = pieces.find_map(|piece| piece.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            let lang = match primary.as_str() {
                "zh" => Lang::Zh,
                "en" => Lang::En,
                _ => return None,
            };
            Some((weight, lang))
        })
        .filter(|(weight, _)| *weight > 0.0)
        .collect();
    // Stable: of two that are wanted as much, the first counts.
    wanted.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    wanted.first().map_or(Lang::En, |(_, lang)| *lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readers_first_language_that_is_spoken_here_counts() {
        for (accept, lang) in [
            (None, Lang::En),
            (Some("zh-CN,zh;q=0.9,en;q=0.8"), Lang::Zh),
            (Some("en-GB,zh;q=0.5"), Lang::En),
            (Some("de, zh;q=0.4, en;q=0.2"), Lang::Zh),
            (Some("zh;q=0, en;q=0.1"), Lang::En),
            (Some(";;,q=,zh;q=x"), Lang::Zh),
        ] {
            assert_eq!(language(accept), lang, "{accept:?}");
        }
    }
}
