//! Who it is: `联系人：张三、李四`, `contact: John Smith`, `负责人吴九`, and who stands before a telephone number.

use lineman_common::api::MaskRule;

use super::Found;
use super::fold::Folded;
use super::labels::{Label, value_after};
use super::vocabulary::Joined;

/// Behind a sign stands a person, whatever it looks like.
pub(super) const PERSONS: &[&str] = &[
    "contact person",
    "contact name",
    "contact",
    "联系人员",
    "联系人",
    "经办人员",
    "经办人",
    "值班人员",
    "值班人",
    "报障人",
    "报修人",
    "申告人",
    "投诉人",
    "负责人",
    "责任人",
    "接口人",
    "对接人",
];

/// They begin a line of talk as well (`工程师：请重启`): what follows must be a name.
pub(super) const ROLES: &[&str] = &["客户经理", "项目经理", "工程师", "维护人员", "施工人员", "处理人", "值班员", "技术员", "姓名"];

/// Names of families that are seldom the beginning of another word.
const FAMILIES: &str = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯董萧肖程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙段雷钱汤尹黎武乔贺赖龚文庞樊兰殷陶洪翟颜倪严牛芦季俞章鲁葛伍韦申尤毕聂丛焦柳邢岳齐梅莫庄辛祝左涂谷祁舒耿牟卜詹苗凌费纪靳盛童欧甄裴席卫查屈鲍覃霍翁隋甘景薄司柏宁柯阮桂闵";

/// Names of families with two characters.
const LONG_FAMILIES: &[&str] = &["欧阳", "司马", "上官", "诸葛", "尉迟", "夏侯", "皇甫", "慕容", "令狐", "司徒"];

/// Words that begin like a name.
const WORDS: &[&str] = &[
    "方式", "方面", "方便", "方案", "高度", "高温", "高层", "高压", "马上", "许多", "曾经", "任何", "任务", "白班", "文件", "文档", "金额",
    "严重", "严格", "安全", "查看", "查询", "查明", "查实", "宁可", "司机", "申请", "申告", "申报", "左右", "康复", "毕竟", "夏季", "周末",
    "周一", "周二", "周三", "周四", "周五", "周六", "周日", "石油", "田间", "何时", "何人", "何处", "甘肃", "江苏", "江西", "陕西", "黄色",
    "白色", "雷击", "雷电", "程序", "段落", "章节", "季度", "盛大", "童年", "顾客", "段内", "卫生", "卫星", "席位",
];

/// They follow a name and belong to none.
const FOLLOWS: &str = "已未正不电在到说反报和及与称请现来去联手负的是为也将会处把对被等又再";

/// They stand before a name.
const CALLS: &[&str] =
    &["联系", "找", "致电", "通知", "请", "由", "派", "给", "与", "和", "是", "为", "及", "人", "员", "客户", "用户", "经理", "师", "叫"];

/// No name in Chinese is longer.
const LONGEST: usize = 4;

pub(super) const fn is_han(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}')
}

/// The persons after a label that begins here, in order.
pub(super) fn after_label(folded: &Folded, at: usize) -> Vec<(usize, usize)> {
    let label = |labels: &[&str]| labels.iter().find(|label| folded.is_at(label, at)).map(|label| at + label.chars().count());
    let (end, is_role) = match (label(PERSONS), label(ROLES)) {
        (Some(end), _) => (end, false),
        (None, Some(end)) => (end, true),
        (None, None) => return Vec::new(),
    };
    if !folded.stands_alone(at, end) {
        return Vec::new();
    }
    let label = Label { start: at, end, rule: MaskRule::Person, joined: Joined::BySign, configured: false };
    let said = value_after(folded, &label).filter(|(start, _)| !is_role || name_at(folded, *start).is_some());
    let beside = || {
        let start = folded.skip_most(end, 2, |c| c == ' ');
        is_han(folded.lower[end - 1]).then(|| Some((start, name_at(folded, start)?))).flatten()
    };
    let Some((start, end)) = said.or_else(beside) else { return Vec::new() };
    let mut persons = vec![(start, western(folded, start, end))];
    while let Some(next) = persons.last().and_then(|(_, end)| next_of_list(folded, *end)) {
        persons.push(next);
    }
    persons
}

/// Where a name in Chinese ends that begins here.
fn name_at(folded: &Folded, start: usize) -> Option<usize> {
    let run = folded.skip_most(start, LONGEST + 1, is_han) - start;
    let family = family_at(folded, start)?;
    let least = start + family + 1;
    let ends = run == family + 1 || (run > family + 1 && FOLLOWS.contains(folded.lower[least]));
    (run > family).then_some(if ends { least } else { least + 1 })
}

/// How long the name of the family is that stands here.
fn family_at(folded: &Folded, start: usize) -> Option<usize> {
    let first = *folded.lower.get(start)?;
    if WORDS.iter().any(|word| folded.is_at(word, start)) {
        return None;
    }
    if LONG_FAMILIES.iter().any(|family| folded.is_at(family, start)) {
        return Some(2);
    }
    FAMILIES.contains(first).then_some(1)
}

/// Where `John Smith` ends, when `John` was found.
fn western(folded: &Folded, start: usize, end: usize) -> usize {
    let is_part = |c: char| (c.is_alphabetic() && !is_han(c)) || matches!(c, '-' | '.' | '\'');
    let is_name = |from: usize, to: usize| {
        let word = folded.cased(from, to);
        word.chars().all(is_part) && word.starts_with(char::is_uppercase) && word.chars().count() > 1
    };
    let mut last = end;
    for _ in 0..2 {
        let from = last + 1;
        let to = folded.skip_most(from, 40, is_part);
        let is_label = folded.lower.get(folded.skip_most(to, 2, |c| c == ' ')).is_some_and(|c| matches!(c, ':' | '='));
        if !is_name(start, end) || folded.lower.get(last) != Some(&' ') || !is_name(from, to) || is_label {
            break;
        }
        last = to;
    }
    last
}

/// `、李四`.
fn next_of_list(folded: &Folded, end: usize) -> Option<(usize, usize)> {
    folded.lower.get(end).filter(|c| **c == '、')?;
    let start = folded.skip_most(end + 1, 2, |c| c == ' ');
    let run = folded.skip_most(start, LONGEST + 1, is_han);
    let end = name_at(folded, start).or_else(|| (start + 2..=start + LONGEST).contains(&run).then_some(run))?;
    Some((start, end))
}

/// `张三（13812345678）`, `请联系张三 13812345678`: who stands before a telephone number.
pub(super) fn beside_phones(found: &mut Found<'_>) {
    let folded = found.folded;
    for at in 1..folded.len() {
        let of = found.taken[at];
        if of != Some((MaskRule::Phone, at)) {
            continue;
        }
        let back = |from: usize, most: usize, skipped: &dyn Fn(char) -> bool| {
            let passed = folded.lower[..from].iter().rev().take(most).take_while(|c| skipped(**c)).count();
            from - passed
        };
        let is_joint = |c: char| matches!(c, ' ' | '(' | ':' | ',' | '，');
        let mut end = back(at, 3, &is_joint);
        if let Some(word) = ["联系电话", "手机号", "电话", "手机"].iter().find(|word| ends(folded, end, word)) {
            end = back(end - word.chars().count(), 3, &is_joint);
        }
        let name = [3, 2, 4].into_iter().filter_map(|length: usize| end.checked_sub(length)).find(|start| {
            let family = family_at(folded, *start);
            let begins = start.checked_sub(1).is_none_or(|before| !is_han(folded.lower[before]));
            let fits = family.is_some_and(|family| (family + 1..=family + 2).contains(&(end - start)));
            fits && folded.lower[*start..end].iter().all(|c| is_han(*c)) && (begins || CALLS.iter().any(|call| ends(folded, *start, call)))
        });
        if let Some(start) = name {
            found.take(start, end, MaskRule::Person);
        }
    }
}

/// A word stands right before a place.
fn ends(folded: &Folded, at: usize, word: &str) -> bool {
    at.checked_sub(word.chars().count()).is_some_and(|start| folded.is_at(word, start))
}
