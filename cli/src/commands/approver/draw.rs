//! The terminal's picture, as lines of styled text: no terminal is needed to make one.
//!
//! Everything from outside is escaped before it is measured, and measured as the terminal measures it (a Chinese character is two columns
//! wide), so that nobody else's text can move the cursor or push a line off the screen. What is signed is wrapped and never cut.

use jiff::Timestamp;
use lineman_common::api::ConsentView;
use lineman_common::name::PersonName;
use lineman_common::printable::escape;
use lineman_common::session::Grade;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::live::Link;
use super::model::{Mode, Model, Narrowing, Refusing, Statement};
use crate::consents::Checked;
use crate::consents::findings::{Lang, Weight, grade_meaning};
use crate::output::span;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Dim,
    Bold,
    Good,
    Warn,
    Bad,
    Selected,
}

impl Style {
    fn code(self, colour: bool) -> &'static str {
        match (self, colour) {
            (Self::Plain, _) | (Self::Good, false) => "",
            (Self::Dim, _) => "\x1b[2m",
            (Self::Bold, _) | (Self::Warn | Self::Bad, false) => "\x1b[1m",
            (Self::Selected, _) => "\x1b[7m",
            (Self::Good, true) => "\x1b[32m",
            (Self::Warn, true) => "\x1b[33m",
            (Self::Bad, true) => "\x1b[1;31m",
        }
    }
}

const fn style_of(weight: Weight) -> Style {
    match weight {
        Weight::Good => Style::Good,
        Weight::Note => Style::Plain,
        Weight::Warn => Style::Warn,
        Weight::Bad => Style::Bad,
    }
}

/// One line: pieces of text side by side.
#[derive(Clone, Debug, Default)]
pub struct Line(pub Vec<(String, Style)>);

impl Line {
    fn of(text: impl Into<String>, style: Style) -> Self {
        Self(vec![(text.into(), style)])
    }

    #[cfg(test)]
    pub fn text(&self) -> String {
        self.0.iter().map(|(text, _)| text.as_str()).collect()
    }
}

/// What the picture needs to know besides the model.
pub struct Scene<'a> {
    pub columns: usize,
    pub rows: usize,
    pub who: &'a PersonName,
    pub server: &'a str,
    pub now: Timestamp,
    pub moment: &'a dyn Fn(Timestamp) -> String,
}

/// A whole screen: `rows` lines, none wider than `columns`.
pub fn draw(model: &mut Model, scene: &Scene<'_>) -> Vec<Line> {
    let mut lines = vec![head(model, scene), Line::default()];
    let room = scene.rows.saturating_sub(4);
    let (body, keys) = match &mut model.mode {
        Mode::List => (Vec::new(), "Enter look   r refuse   ? help   q quit"),
        Mode::Statement(statement) => statement_lines(statement, scene, room),
        Mode::Narrowing(narrowing) => {
            (narrowing_lines(narrowing, scene), "Space on/off   Tab next   Enter show the narrowed statement   Esc back")
        }
        Mode::Refusing(refusing) => (refusing_lines(refusing, scene), "Enter refuse   Esc back"),
        Mode::Broken(_, why) => {
            let first = Line::of("This request can't be approved:", Style::Bad);
            (
                std::iter::once(first).chain(why.iter().flat_map(|why| wrapped("  ", why, scene.columns, Style::Plain))).collect(),
                "r refuse   Esc back   q quit",
            )
        }
        Mode::Help(_) => (help(scene.columns), "any key goes back"),
    };
    let body = if matches!(model.mode, Mode::List) { list_lines(model, scene, room) } else { body };
    lines.extend(body.into_iter().take(room));
    lines.resize_with(scene.rows.saturating_sub(2), Line::default);
    lines.push(message(model));
    lines.push(Line::of(format!(" {keys}"), Style::Dim));
    lines.truncate(scene.rows);
    lines.into_iter().map(|line| cut(line, scene.columns)).collect()
}

/// Who is here, whether what is shown is still true, how many wait.
fn head(model: &Model, scene: &Scene<'_>) -> Line {
    let left = format!(" {} at {}", scene.who, escape(scene.server));
    let (state, style) = match &model.snapshot.link {
        Link::Connecting => ("connecting".to_owned(), Style::Warn),
        Link::Connected => ("connected".to_owned(), Style::Good),
        Link::Lost(since, why) => {
            let ago = span(u64::try_from(scene.now.duration_since(*since).as_secs()).unwrap_or(0));
            (format!("NOT CONNECTED for {ago} ({})", escape(why)), Style::Bad)
        }
    };
    let waiting = format!("   {} waiting ", model.snapshot.requests.len());
    // The state matters more than the server's name.
    let room = scene.columns.saturating_sub(waiting.width() + 2);
    let state = fit(&state, room.saturating_sub(12));
    let left = fit(&left, room.saturating_sub(state.width()));
    let gap = scene.columns.saturating_sub(left.width() + state.width() + waiting.width());
    Line(vec![(left, Style::Bold), (" ".repeat(gap), Style::Plain), (state, style), (waiting, Style::Plain)])
}

fn message(model: &Model) -> Line {
    match (&model.busy, &model.message) {
        (Some(busy), _) => Line::of(format!(" {}", escape(busy)), Style::Bold),
        (None, Some((weight, text))) => Line::of(format!(" {}", escape(text)), style_of(*weight)),
        (None, None) => Line::default(),
    }
}

// ---- The list -------------------------------------------------------------------------------------------------------

/// Two lines and a gap for each request, with the chosen one in sight.
fn list_lines(model: &Model, scene: &Scene<'_>, room: usize) -> Vec<Line> {
    let requests = &model.snapshot.requests;
    if requests.is_empty() {
        let text = match model.snapshot.link {
            Link::Connected => "  Nobody is asking. A request shows here the moment that it arrives.",
            Link::Connecting | Link::Lost(..) => "  No request is known; the centre can't be asked at the moment.",
        };
        return vec![Line::of(text, Style::Dim)];
    }
    let fit = (room / 3).max(1);
    let first = model.index().map_or(0, |index| (index + 1).saturating_sub(fit));
    let shown = requests.iter().skip(first).take(fit);
    shown.flat_map(|request| request_lines(request, model, scene)).collect()
}

fn request_lines(request: &ConsentView, model: &Model, scene: &Scene<'_>) -> [Line; 3] {
    let chosen = Some(request.id) == model.selected;
    let mark = if chosen { "> " } else { "  " };
    let asked = request.duration_s.map(|seconds| format!(" for {}", span(u64::from(seconds)))).unwrap_or_default();
    let what = format!("{mark}{} asks for {}{asked}", request.engineer, request.device);
    let left = request.lapses_at.duration_since(scene.now).as_secs();
    let clock = u64::try_from(left).map_or_else(|_| "too late".to_owned(), |left| format!("{} left ", span(left)));
    let tone = if left < 600 { Style::Warn } else { Style::Dim };
    let clock = match model.answered.get(&request.id) {
        Some(how) => format!("you {how} it "),
        None => clock,
    };
    let what = fit(&what, scene.columns.saturating_sub(clock.width() + 2));
    let gap = " ".repeat(scene.columns.saturating_sub(what.width() + clock.width()));
    let style = if chosen { Style::Selected } else { Style::Bold };
    let (gap_style, clock_style) = if chosen { (Style::Selected, Style::Selected) } else { (Style::Plain, tone) };
    let doors = request.doors.as_ref().map(ToString::to_string).unwrap_or_default();
    let account = request.account.as_deref().map(escape).unwrap_or_default();
    let reason = request.reason.as_ref().map(ToString::to_string).unwrap_or_default();
    // A long list of doors leaves room for the reason; the statement shows all of them.
    let ways = fit(&format!("    {doors} as {account}"), (scene.columns / 2).max(20));
    let mut second = vec![(ways, Style::Plain)];
    if request.grade == Some(Grade::Gateway) {
        second.push(("  GATEWAY".to_owned(), Style::Warn));
    }
    if request.approvals_needed > 1 {
        second.push((format!("  {} of {} approved", request.consents.len(), request.approvals_needed), Style::Plain));
    }
    second.push((format!("  {}: {reason}", request.fault), Style::Dim));
    [Line(vec![(what, style), (gap, gap_style), (clock, clock_style)]), Line(second), Line::default()]
}

// ---- A statement ----------------------------------------------------------------------------------------------------

/// What somebody wants, what to look out for, the very text; then what was checked.
fn statement_lines(statement: &mut Statement, scene: &Scene<'_>, room: usize) -> (Vec<Line>, &'static str) {
    let draft = &statement.draft;
    let Checked { request, statement: device, .. } = &draft.checked;
    let wide = scene.columns;
    let mut lines = Vec::new();
    let say = |label: &str, value: &str, style| wrapped_label(label, value, wide, style);
    lines.extend(say(
        "who",
        &format!("{} wants {} for {}", request.engineer, request.doors, span(u64::from(request.duration_s))),
        Style::Bold,
    ));
    lines.extend(say("device", &format!("{} as {}", device.device, escape(&request.account)), Style::Plain));
    lines.extend(say("why", &format!("{}: {}", request.fault, escape(&request.reason)), Style::Plain));
    let grade_style = if request.grade == Grade::Gateway { Style::Warn } else { Style::Plain };
    lines.extend(say("grade", &format!("{}: {}", request.grade, grade_meaning(request.grade, Lang::En)), grade_style));
    let mut findings = draft.findings();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.weight()));
    let (grave, good): (Vec<_>, Vec<_>) = findings.into_iter().partition(|finding| finding.weight() > Weight::Note);
    let finding = |finding: &crate::consents::findings::Finding| {
        let text = finding.text(Lang::En, scene.moment);
        wrapped_label(finding.weight().word(Lang::En), &text, wide, style_of(finding.weight()))
    };
    lines.extend(grave.iter().flat_map(finding));
    lines.push(Line::default());
    lines.push(Line::of(" You sign exactly this:", Style::Bold));
    lines.extend(draft.text().lines().flat_map(|line| wrapped(" | ", &escape(line), wide, Style::Plain)));
    let must_be_seen = lines.len();
    lines.push(Line::default());
    lines.extend(good.iter().flat_map(finding));

    statement.scroll = statement.scroll.min(lines.len().saturating_sub(room));
    statement.seen |= statement.scroll + room >= must_be_seen;
    let keys = match (statement.seen, statement.scroll + room >= lines.len()) {
        (true, true) => "a approve   n narrow   r refuse   Esc back   ? help",
        (true, false) => "a approve   n narrow   r refuse   Esc back   Space more: the checks",
        (false, _) => "Space more   n narrow   r refuse   Esc back   ? help",
    };
    (lines.into_iter().skip(statement.scroll).collect(), keys)
}

// ---- Narrowing, refusing, help --------------------------------------------------------------------------------------

fn narrowing_lines(narrowing: &Narrowing, scene: &Scene<'_>) -> Vec<Line> {
    let Checked { request, .. } = &narrowing.draft.checked;
    let mut lines = vec![Line::of(format!(" Narrow what {} gets on {}", request.engineer, request.device), Style::Bold), Line::default()];
    for (index, choice) in narrowing.choices.iter().enumerate() {
        let name = choice.target.as_ref().map_or_else(|| choice.door.to_string(), |target| format!("{}:{target}", choice.door));
        let style = if index == narrowing.at { Style::Selected } else { Style::Plain };
        lines.push(Line::of(format!(" [{}] {name} ", if choice.on { "x" } else { " " }), style));
    }
    let style = if narrowing.at == narrowing.choices.len() { Style::Selected } else { Style::Plain };
    lines.push(Line::default());
    lines.push(Line(vec![
        (format!(" for {} ", escape(&narrowing.time)), style),
        (format!(" (asked: {})", span(u64::from(request.duration_s))), Style::Dim),
    ]));
    lines.into_iter().map(|line| cut(line, scene.columns)).collect()
}

fn refusing_lines(refusing: &Refusing, scene: &Scene<'_>) -> Vec<Line> {
    let mut lines =
        vec![Line::of(format!(" Refuse this request for {}. Why? The engineer reads it.", refusing.device), Style::Bold), Line::default()];
    lines.extend(wrapped(" > ", &(escape(&refusing.reason) + "_"), scene.columns, Style::Plain));
    lines
}

fn help(columns: usize) -> Vec<Line> {
    let keys = [
        ("up, down, j, k", "choose a request; newest on top"),
        ("Enter", "check it, and show what you would sign"),
        ("a", "approve: sign exactly the text on the screen"),
        ("n", "narrow: fewer doors, less time"),
        ("r", "refuse, with a reason"),
        ("Space, PgUp", "scroll a long statement"),
        ("Esc", "back"),
        ("q, Ctrl-C", "quit; requests that you didn't answer go on waiting"),
    ];
    let mut lines = vec![Line::of(" Keys", Style::Bold), Line::default()];
    lines.extend(keys.iter().map(|(key, what)| Line(vec![(format!("  {key:16}"), Style::Bold), ((*what).to_owned(), Style::Plain)])));
    lines.push(Line::default());
    let more = "The roster is checked under your vendor root, the request under the roster, the device under your signer list.";
    lines.extend(wrapped(" ", more, columns, Style::Dim));
    lines
}

// ---- Text on a screen -----------------------------------------------------------------------------------------------

const LABEL: usize = 8;

/// ` label  text`, with the text's further lines below its first.
fn wrapped_label(label: &str, text: &str, columns: usize, style: Style) -> Vec<Line> {
    let pieces = wrap(text, columns.saturating_sub(LABEL + 1).max(10));
    let line = |(index, piece): (usize, String)| {
        let label = if index == 0 { format!(" {label:LABEL$}") } else { " ".repeat(LABEL + 1) };
        let label_style = if index == 0 && matches!(style, Style::Warn | Style::Bad | Style::Good) { style } else { Style::Dim };
        Line(vec![(label, label_style), (piece, if style == Style::Good { Style::Plain } else { style })])
    };
    pieces.into_iter().enumerate().map(line).collect()
}

fn wrapped(prefix: &str, text: &str, columns: usize, style: Style) -> Vec<Line> {
    let pieces = wrap(text, columns.saturating_sub(prefix.width()).max(10));
    pieces.into_iter().map(|piece| Line(vec![(prefix.to_owned(), Style::Dim), (piece, style)])).collect()
}

/// Splits at spaces where it can, anywhere where it must; every character is kept but the spaces that a line ends with.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for c in text.chars() {
        let width = c.width().unwrap_or(0);
        if used + width > columns {
            let rest = match line.rfind(' ').filter(|at| *at > columns / 2) {
                Some(at) => line.split_off(at + 1),
                None => String::new(),
            };
            lines.push(std::mem::replace(&mut line, rest).trim_end().to_owned());
            used = line.width();
        }
        line.push(c);
        used += width;
    }
    lines.push(line);
    lines
}

/// Cuts to a number of columns, with an ellipsis.
fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 0);
    for c in text.chars() {
        let width = c.width().unwrap_or(0);
        if used + width + 1 > columns {
            break;
        }
        used += width;
        out.push(c);
    }
    if columns == 0 { out } else { out + "…" }
}

fn cut(line: Line, columns: usize) -> Line {
    let mut room = columns;
    let mut pieces = Vec::new();
    for (text, style) in line.0 {
        let text = fit(&text, room);
        room = room.saturating_sub(text.width());
        pieces.push((text, style));
    }
    Line(pieces)
}

/// The screen as bytes for a terminal. Nothing but the codes of [`Style`] and cursor movements of its own leaves here.
pub fn bytes(lines: &[Line], colour: bool) -> String {
    let mut out = String::from("\x1b[H");
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            out.push_str("\r\n");
        }
        for (text, style) in &line.0 {
            let code = style.code(colour);
            let safe: String = text.chars().filter(|c| !c.is_control()).collect();
            if code.is_empty() { out.push_str(&safe) } else { out.push_str(&format!("{code}{safe}\x1b[0m")) }
        }
        out.push_str("\x1b[K");
    }
    out + "\x1b[J"
}
