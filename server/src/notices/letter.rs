//! A notice as people and programs read it: the text of a mail in the reader's language, the JSON of a webhook.

use lineman_common::alarm::Severity;
use lineman_common::id::NoticeId;
use lineman_common::notice::{Language, Topic};
use serde_json::{Value, json};

use super::TEST;
use super::about::{About, Digest};

/// Of the JSON's form. 2: the id is a text that tells nobody how many there are.
const VERSION: u32 = 2;

/// What stands around a notice's own words, English and Chinese.
const WORDS: &[(&str, &str)] = &[
    ("who", "操作人"),
    ("device", "设备"),
    ("fault", "故障号"),
    ("title", "标题"),
    ("doors", "访问方式"),
    ("account", "账号"),
    ("for", "时长"),
    ("grade", "等级"),
    ("reason", "原因"),
    ("answer before", "答复期限"),
    ("until", "截止"),
    ("signatures needed", "所需签名数"),
    ("approved in a page served by the vendor", "在厂商提供的页面中批准"),
    ("severity", "级别"),
    ("status", "状态"),
    ("owner", "责任人"),
    ("when", "时间"),
    ("what", "内容"),
    ("reported", "报告时间"),
    ("raised", "发生时间"),
    ("told", "通知次数"),
    ("alarm", "告警"),
    ("critical", "紧急"),
    ("major", "重要"),
    ("minor", "次要"),
    ("warning", "提示"),
    ("indeterminate", "不确定"),
    ("accepted", "已受理"),
    ("in_progress", "处理中"),
    ("pending", "挂起"),
    ("restored", "业务已恢复"),
    ("resolved", "已解决"),
    ("closed", "已关闭"),
    ("rejected", "已退回"),
    ("cancelled", "已取消"),
    ("duplicate", "重复"),
];

const fn topic_in_chinese(topic: Topic) -> &'static str {
    match topic {
        Topic::Reported => "故障已报告",
        Topic::Routed => "故障已派到班组",
        Topic::Assigned => "责任人变更",
        Topic::Escalated => "故障已升级",
        Topic::Reply => "新的回复",
        Topic::Note => "内部备注",
        Topic::Status => "故障状态变化",
        Topic::Clock => "时限提醒",
        Topic::Consent => "远程接入授权",
        Topic::Stop => "远程接入总开关",
        Topic::LocalAct => "设备本地操作",
        Topic::Alarm => "紧急告警未确认",
        Topic::Problem => "批量问题",
    }
}

fn word(language: Language, english: &str) -> &str {
    match language {
        Language::English => english,
        Language::Chinese => WORDS.iter().find(|(known, _)| *known == english).map_or(english, |(_, chinese)| chinese),
    }
}

/// A fact's value: only the fixed words of these are put into another language, never what somebody wrote.
fn value<'a>(language: Language, name: &str, value: &'a str) -> &'a str {
    if matches!(name, "severity" | "status") { word(language, value) } else { value }
}

impl About {
    /// What a mail's subject line says. All mails of a fault have the same one, so that mail programs that go by the subject keep them
    /// together.
    pub fn subject_line(&self) -> String {
        match (&self.fault, &self.customer) {
            (Some(fault), _) => format!("[Lineman {}] {}", fault.number, fault.title),
            (None, Some(customer)) => format!("[Lineman {customer}] {}", self.headline()),
            (None, None) => format!("[Lineman] {}", self.headline()),
        }
    }

    fn headline(&self) -> String {
        match (self.language, &self.digest, self.topic) {
            (Language::Chinese, Some(digest), _) => format!("{} 条通知：{}", digest.count, severities(self.language, digest)),
            (Language::Chinese, None, Some(topic)) => format!("{}：{}", topic_in_chinese(topic), self.subject),
            (Language::Chinese, None, None) if self.kind == TEST => "测试：通知可以送达这里".to_owned(),
            (Language::Chinese, None, None) | (Language::English, _, _) => self.subject.clone(),
        }
    }

    /// The text of a mail; `centre` is the server's name and port.
    pub fn text(&self, centre: &str) -> String {
        let language = self.language;
        let mut text = format!("{}\n\n", self.headline());
        for (name, known) in &self.facts {
            text.push_str(&format!("{}: {}\n", word(language, name), value(language, name, known)));
        }
        if !self.words.is_empty() {
            text.push('\n');
            text.extend(self.words.iter().map(|line| format!("> {line}\n")));
        }
        text.extend(self.digest.as_ref().map(|digest| digest.text(language)));
        let (yours, look, powerless) = match language {
            Language::English => (
                "On your own machine",
                "Or look at it",
                "This message opens and approves nothing: only a signature made with your own key does.",
            ),
            Language::Chinese => ("在您自己的机器上执行", "或查看", "本消息不能打开或批准任何东西：只有用您自己的密钥签名才可以。"),
        };
        if let (Some(command), Some(link)) = (self.command(), self.link(centre)) {
            text.push_str(&format!("\n{yours}:\n  {command}\n{look}:\n  {link}\n"));
        }
        text.push_str(&format!("\n{powerless}\n"));
        text
    }

    /// What a webhook gets.
    pub fn json(&self, id: NoticeId, centre: &str) -> Value {
        let facts: serde_json::Map<String, Value> = self.facts.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let fault = self.fault.as_ref().map(|fault| json!({"id": fault.id, "number": fault.number, "title": fault.title}));
        json!({
            "lineman-notice": VERSION, "id": id, "kind": self.kind, "topic": self.topic, "severity": self.severity, "at": self.at,
            "customer": self.customer, "subject": self.subject, "text": self.text(centre), "facts": facts, "words": self.words,
            "fault": fault, "consent": self.consent, "digest": self.digest, "command": self.command(), "link": self.link(centre),
        })
    }
}

fn severities(language: Language, digest: &Digest) -> String {
    let count = |(severity, count): (&Severity, &u32)| format!("{count} {}", word(language, severity.as_str()));
    digest.severities.iter().rev().map(count).collect::<Vec<_>>().join(", ")
}

impl Digest {
    fn text(&self, language: Language) -> String {
        let mut text = String::new();
        if let (Some(first), Some(last)) = (self.first_at, self.last_at) {
            text.push_str(&format!("{first} - {last}\n"));
        }
        for (kind, count) in &self.kinds {
            text.push_str(&format!("{count:>6}  {kind}\n"));
        }
        let worst = match language {
            Language::English => "The worst",
            Language::Chinese => "最严重的",
        };
        text.push_str(&format!("\n{worst}:\n"));
        for named in &self.worst {
            text.push_str(&format!("  {} {} {}\n", word(language, named.severity.as_str()), named.at, named.subject));
        }
        text
    }
}
