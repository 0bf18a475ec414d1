//! The page's HTML. Everything that goes into it passes [`esc`].

use jiff::Timestamp;
use lineman_common::api::{ConsentState, ConsentView};
use lineman_common::printable::escape;
use lineman_common::session::{Door, Grade};

use super::super::live::{Link, Snapshot};
use super::words::{Words, words};
use crate::consents::desk::{Draft, typed};
use crate::consents::findings::{Finding, Lang, Weight, grade_meaning};
use crate::output::span;

/// Who reads, in which language, at what time.
pub struct Reader<'a> {
    pub lang: Lang,
    pub who: String,
    pub server: &'a str,
    pub now: Timestamp,
    pub moment: &'a (dyn Fn(Timestamp) -> String + Sync),
}

/// Text, safe in HTML and for the eye: what would act on the page is shown instead.
pub fn esc(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn frame(reader: &Reader<'_>, title: &str, head: &str, body_attributes: &str, state: &str, main: &str) -> String {
    let Words { code, .. } = words(reader.lang);
    format!(
        "<!DOCTYPE html>\n<html lang=\"{code}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{} - Lineman</title>\n\
         <link rel=\"stylesheet\" href=\"style.css\">\n{head}</head>\n<body{body_attributes}>\n\
         <header><strong>{}</strong><span>{}</span><span class=\"state\">{state}</span></header>\n<main>\n{main}</main>\n</body>\n</html>\n",
        esc(title),
        esc(&reader.who),
        esc(reader.server),
    )
}

/// What the list's script compares: a lost connection is news, too.
pub fn stamp(snapshot: &Snapshot) -> String {
    let link = match snapshot.link {
        Link::Connected => "",
        Link::Connecting => "-connecting",
        Link::Lost(..) => "-lost",
    };
    format!("{}{link}", snapshot.version)
}

/// The requests that wait.
pub fn list(reader: &Reader<'_>, snapshot: &Snapshot, answered: &dyn Fn(&ConsentView) -> bool) -> String {
    let words = words(reader.lang);
    let (state, banner) = match &snapshot.link {
        Link::Connected => (format!("<span class=\"good\">{}</span>", words.connected), String::new()),
        Link::Connecting => (format!("<span class=\"warn\">{}</span>", words.connecting), String::new()),
        Link::Lost(_, why) => (String::new(), format!("<p class=\"banner\" role=\"alert\">{} ({})</p>\n", words.lost, esc(why))),
    };
    let rows: String =
        snapshot.requests.iter().enumerate().map(|(index, request)| row(reader, request, index == 0, answered(request))).collect();
    let rows = if rows.is_empty() {
        format!("<p class=\"empty\">{}</p>\n", words.nobody)
    } else {
        format!("<ol class=\"requests\">\n{rows}</ol>\n")
    };
    let count = snapshot.requests.len();
    let main = format!("{banner}<h1>{} <span class=\"soft\">{count} {}</span></h1>\n{rows}", words.title, words.waiting);
    // Without the script, the browser asks again by itself.
    let head = "<script src=\"live.js\" defer></script>\n<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>\n";
    frame(reader, words.title, head, &format!(" data-version=\"{}\"", stamp(snapshot)), &state, &main)
}

fn row(reader: &Reader<'_>, request: &ConsentView, first: bool, answered: bool) -> String {
    let words = words(reader.lang);
    let left = request.lapses_at.duration_since(reader.now).as_secs();
    let left = match u64::try_from(left) {
        _ if answered => words.you_answered.to_owned(),
        Ok(left) => format!("{} {}", span(left), words.left),
        Err(_) => words.too_late.to_owned(),
    };
    let asked = request.duration_s.map(|seconds| span(u64::from(seconds))).unwrap_or_default();
    let doors = request.doors.as_ref().map(ToString::to_string).unwrap_or_default();
    let reason = request.reason.as_ref().map(|reason| reason.raw().to_owned()).unwrap_or_default();
    let gateway = if request.grade == Some(Grade::Gateway) { format!(" <b class=\"warn\">{}</b>", Grade::Gateway) } else { String::new() };
    let approvals = match request.approvals_needed {
        0 | 1 => String::new(),
        needed => format!(" · {} / {needed} {}", request.consents.len(), words.approved_of),
    };
    format!(
        "<li><a href=\"request-{}\"{}><span class=\"who\">{} {} {}</span><span class=\"left\">{left}</span>\
         <span class=\"what\">{} · {}{gateway}{approvals}<br>{}: {}</span></a></li>\n",
        request.id,
        if first { " autofocus" } else { "" },
        request.engineer,
        words.asks_for,
        request.device,
        esc(&doors),
        esc(&asked),
        request.fault,
        esc(&reason),
    )
}

/// What would be signed: the text of the draft itself.
pub fn statement(reader: &Reader<'_>, draft: &Draft, number: &str, form: &str, problem: Option<&str>) -> String {
    let words = words(reader.lang);
    let request = &draft.checked.request;
    let title = format!("{} {} {}", request.engineer, words.asks_for, request.device);
    let problem = problem.map(|problem| format!("<p class=\"banner\" role=\"alert\">{}</p>\n", esc(problem))).unwrap_or_default();
    let fields = [
        (words.device, draft.checked.statement.device.to_string()),
        (words.wants, request.doors.to_string()),
        (words.account, request.account.clone()),
        (words.how_long, span(u64::from(request.duration_s))),
        (words.why, format!("{}: {}", request.fault, request.reason)),
        (words.grade, format!("{}: {}", request.grade, grade_meaning(request.grade, reader.lang))),
        (words.answer_within, span(u64::try_from(draft.view.lapses_at.duration_since(reader.now).as_secs()).unwrap_or(0))),
    ];
    let fields: String =
        fields.iter().fold(String::new(), |all, (label, value)| all + &format!("<dt>{label}</dt><dd>{}</dd>\n", esc(value)));
    let mut findings = draft.findings();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.weight()));
    let (grave, good): (Vec<_>, Vec<_>) = findings.into_iter().partition(|finding| finding.weight() > Weight::Note);
    let grave = if grave.is_empty() {
        String::new()
    } else {
        format!("<h2>{}</h2>\n<ul class=\"checks\">{}</ul>\n", words.look_out, checks(reader, &grave))
    };
    let main = format!(
        "<p class=\"soft\"><a href=\"./\">{back}</a></p>\n{problem}<h1>{title}</h1>\n<dl>\n{fields}</dl>\n{grave}\
         <h2>{you_sign}</h2>\n<pre>{text}</pre>\n\
         <form class=\"answer\" method=\"post\" action=\"approve\"><input type=\"hidden\" name=\"form\" value=\"{form}\">\
         <input type=\"hidden\" name=\"draft\" value=\"{number}\"><button class=\"act\" accesskey=\"a\">{approve}</button></form>\n\
         {narrow}{refuse}<h2>{checked}</h2>\n<ul class=\"checks\">{good}</ul>\n",
        back = words.back,
        title = esc(&title),
        you_sign = words.you_sign,
        text = draft.text().lines().map(|line| esc(line) + "\n").collect::<String>(),
        approve = words.approve,
        narrow = narrow_form(reader, draft),
        refuse = refuse_form(words, &request.id.to_string(), form),
        checked = words.checked,
        good = checks(reader, &good),
    );
    frame(reader, &title, "", "", "", &main)
}

fn checks(reader: &Reader<'_>, findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let class = match finding.weight() {
            Weight::Good => "good",
            Weight::Note => "note",
            Weight::Warn => "warn",
            Weight::Bad => "bad",
        };
        let text = finding.text(reader.lang, &|time| (reader.moment)(time));
        format!("<li class=\"{class}\"><b>{}</b><span>{}</span></li>\n", finding.weight().word(reader.lang), esc(&text))
    };
    findings.iter().map(line).collect()
}

/// Narrowing asks for the statement anew, with fewer boxes ticked; it signs nothing.
fn narrow_form(reader: &Reader<'_>, draft: &Draft) -> String {
    let words = words(reader.lang);
    let (asked, now) = (&draft.checked.request.doors, &draft.doors);
    let plain = Door::ALL.iter().filter(|door| **door != Door::Forward && asked.has(**door)).map(|door| (door.to_string(), now.has(*door)));
    let forwards = asked.targets().iter().map(|target| (format!("{}:{target}", Door::Forward), now.targets().contains(target)));
    let boxes = plain.chain(forwards).fold(String::new(), |all, (door, on)| {
        let on = if on { " checked" } else { "" };
        let door = esc(&door);
        all + &format!("<label><input type=\"checkbox\" name=\"door\" value=\"{door}\"{on}> {door}</label>\n")
    });
    let time = typed(draft.duration_s);
    format!(
        "<details><summary>{}</summary>\n<form method=\"get\" action=\"request-{}\">\n<fieldset><legend>{}</legend>\n{boxes}</fieldset>\n\
         <label>{} <input type=\"text\" name=\"for\" value=\"{}\" size=\"10\" autocomplete=\"off\"></label>\n<button>{}</button>\n</form></details>\n",
        words.narrow,
        draft.view.id,
        words.narrow_hint,
        words.how_long,
        esc(&time),
        words.show_narrowed,
    )
}

fn refuse_form(words: &Words, id: &str, form: &str) -> String {
    format!(
        "<details><summary>{}</summary>\n<form method=\"post\" action=\"refuse\"><input type=\"hidden\" name=\"form\" value=\"{form}\">\
         <input type=\"hidden\" name=\"id\" value=\"{id}\"><label class=\"reason\">{}\
         <input type=\"text\" name=\"reason\" maxlength=\"500\" autocomplete=\"off\" required></label>\n<button>{}</button>\n</form></details>\n",
        words.refuse, words.reason, words.refuse,
    )
}

/// A request that does not hold: it can only be refused.
pub fn broken(reader: &Reader<'_>, id: &str, why: &[String], form: &str) -> String {
    let words = words(reader.lang);
    let why: String = why.iter().fold(String::new(), |all, why| all + &format!("<p>{}</p>\n", esc(why)));
    let main = format!(
        "<p class=\"soft\"><a href=\"./\">{}</a></p>\n<h1 class=\"bad\">{}</h1>\n{why}{}",
        words.back,
        words.cannot,
        refuse_form(words, &esc(id), form)
    );
    frame(reader, words.cannot, "", "", "", &main)
}

/// What became of it.
pub fn answered(reader: &Reader<'_>, view: &ConsentView) -> String {
    let words = words(reader.lang);
    let (class, text) = match view.state {
        ConsentState::Live => ("good", words.live.to_owned()),
        ConsentState::Approved => ("note", words.approved.to_owned()),
        ConsentState::Requested => ("note", words.more_needed.to_owned()),
        ConsentState::Refused => ("note", words.refused.to_owned()),
        ConsentState::RefusedByDevice => {
            let why = view.device_says.as_ref().map(|why| why.raw().to_owned()).unwrap_or_default();
            ("bad", format!("{}: {why}", words.refused_by_device))
        }
        ConsentState::Challenged | ConsentState::Lapsed | ConsentState::Ended => ("warn", format!("{}: {}", words.is_now, view.state)),
    };
    // The device may speak a moment later.
    let head = if view.state == ConsentState::Approved { "<meta http-equiv=\"refresh\" content=\"3\">\n" } else { "" };
    let main = format!(
        "<h1 class=\"{class}\">{}</h1>\n<p>{} · {} · {}</p>\n<p><a href=\"./\" autofocus>{}</a></p>\n",
        esc(&text),
        view.engineer,
        view.device,
        view.fault,
        words.back
    );
    frame(reader, &text, head, "", "", &main)
}

/// Something did not work, in one sentence.
pub fn sorry(reader: &Reader<'_>, why: &str) -> String {
    let words = words(reader.lang);
    let main = format!("<h1>{}</h1>\n<p>{}</p>\n<p><a href=\"./\">{}</a></p>\n", words.wrong, esc(why), words.back);
    frame(reader, words.wrong, "", "", "", &main)
}

/// For a browser that has not come by the link.
pub fn stranger(lang: Lang) -> String {
    let words = words(lang);
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\"><title>Lineman</title></head><body><p>{}</p></body></html>\n",
        words.code, words.link_used
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_text() {
        assert_eq!(esc("<b a='1'>&\"\u{202e}\n"), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;\\u{202e}\\n");
    }
}
