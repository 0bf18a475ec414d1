//! Filing with suggestions: what is shown, what one key does, and what the server is told of it. And the commands around offers.

use lineman_common::api::{
    CaseField, Deflection, DraftField, DraftPiece, DraftReview, Language, List, MaskRule, OpenDuplicate, SignalsStored, Suggestions,
};
use lineman_common::error::ErrorCode;
use lineman_common::fault::FaultStatus;
use lineman_common::id::{DeflectionId, OfferId};
use serde_json::json as value;

use super::fault::{fault, hit};
use super::pty::Terminal;
use super::server::{Answer, Asked, Server, json, problem};
use super::{at, ends, run, stderr, stdout};

const SIZE: (u16, u16) = (200, 40);

fn duplicate() -> OpenDuplicate {
    OpenDuplicate {
        number: "F-JW-1".parse().unwrap(),
        title: "风扇2停转".into(),
        status: FaultStatus::Reported,
        equipment: Some("ne-1.jw.ne".parse().unwrap()),
        reported_at: jiff::Timestamp::now(),
        score: 0.7,
        why: vec!["same equipment".into()],
    }
}

fn centre(route: &str, _: &Asked) -> Answer {
    match route {
        "POST /api/v1/cases/suggest" => json(Suggestions { offer: OfferId::new(), items: vec![hit()], duplicates: vec![duplicate()] }),
        "POST /api/v1/cases/signals" => json(SignalsStored { offers: 1 }),
        "POST /api/v1/faults" => json(fault(3)),
        "POST /api/v1/faults/F-JW-1/notes" => json(fault(1)),
        "POST /api/v1/cases/C-0007/links" => problem(ErrorCode::Forbidden, "links are the support centre's"),
        "POST /api/v1/cases/C-0007/deflections" => json(Deflection {
            id: DeflectionId::new(),
            case: "C-0007".parse().unwrap(),
            question: "x".into(),
            customer: None,
            by: "noc-jw".parse().unwrap(),
            at: jiff::Timestamp::now(),
            undone_at: None,
        }),
        other => panic!("{other}"),
    }
}

const FILE: &[&str] = &["fault", "file", "--equipment", "ne-1.jw.ne", "--title", "风扇停转", "--impact", "partial"];

/// Presses keys at the question; answers the routes that were asked.
fn filed(keys: &str, code: i32) -> (Server, Vec<String>) {
    let server = Server::start(centre);
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(&mut at(&server, home.path()), FILE, SIZE);
    terminal.shows("[Enter] file");
    assert!(terminal.screen().contains("C-0007") && terminal.screen().contains("F-JW-1"), "{}", terminal.screen());
    terminal.press(keys);
    assert_eq!(terminal.ends(), Some(code), "{}", terminal.screen());
    let asked = server.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect();
    (server, asked)
}

fn was_asked(asked: &[String], route: &str) -> bool {
    asked.iter().any(|known| known == route)
}

#[test]
fn enter_files_and_tells_what_was_shown() {
    let (server, asked) = filed("\r", 0);
    assert!(was_asked(&asked, "POST /api/v1/faults"));
    let told = &server.body("POST", "/api/v1/cases/signals")["offers"][0];
    assert_eq!((&told["place"], &told["fault"], &told["shown"][0]["case"]), (&value!("filing"), &value!("F-JW-3"), &value!("C-0007")));
    assert_eq!((&told["none_fits"], &told["cited"]), (&value!(false), &value!([])));
}

#[test]
fn a_digit_files_and_cites() {
    let (server, asked) = filed("1", 0);
    assert!(was_asked(&asked, "POST /api/v1/faults") && was_asked(&asked, "POST /api/v1/cases/C-0007/links"));
    assert_eq!(server.body("POST", "/api/v1/cases/C-0007/links"), value!({"fault": "F-JW-3", "verdict": "helped"}));
    assert_eq!(server.body("POST", "/api/v1/cases/signals")["offers"][0]["cited"], value!([{"case": "C-0007", "verdict": "helped"}]));
}

#[test]
fn none_fits_is_told() {
    let (server, asked) = filed("n", 0);
    assert!(was_asked(&asked, "POST /api/v1/faults"));
    assert_eq!(server.body("POST", "/api/v1/cases/signals")["offers"][0]["none_fits"], true);
}

#[test]
fn what_solved_it_keeps_a_fault_from_being_filed() {
    let (server, asked) = filed("s", 0);
    assert!(!was_asked(&asked, "POST /api/v1/faults"), "{asked:?}");
    assert_eq!(server.body("POST", "/api/v1/cases/C-0007/deflections")["question"], "风扇停转");
}

#[test]
fn a_duplicate_is_joined_and_not_filed() {
    let (server, asked) = filed("d", 0);
    assert!(!was_asked(&asked, "POST /api/v1/faults"), "{asked:?}");
    assert_eq!(server.body("POST", "/api/v1/faults/F-JW-1/notes"), value!({"text": "风扇停转", "internal": false}));
    assert_eq!(server.body("POST", "/api/v1/cases/signals")["offers"][0]["fault"], "F-JW-1");
}

#[test]
fn leaving_files_nothing() {
    let (_, asked) = filed("q", 130);
    assert_eq!(asked, ["POST /api/v1/cases/suggest"]);
}

#[test]
fn nobody_is_asked_with_yes_or_without_a_terminal() {
    let server = Server::start(centre);
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(&mut at(&server, home.path()), &[FILE, &["--yes"]].concat(), SIZE);
    assert_eq!(terminal.ends(), Some(0), "{}", terminal.screen());
    let output = run(&mut at(&server, home.path()), FILE);
    ends(&output, 0);
    assert!(stderr(&output).contains("F-JW-1") && !stderr(&output).contains("[Enter]"), "{}", stderr(&output));
    assert!(stdout(&output).contains("F-JW-3"));
    let output = run(&mut at(&server, home.path()), &[FILE, &["-o", "json"]].concat());
    ends(&output, 0);
}

#[test]
fn the_masking_of_a_draft_is_shown_span_by_span() {
    let server = Server::start(|route, _| match route {
        "GET /api/v1/cases/C-0007/draft" | "POST /api/v1/cases/C-0007/draft" => {
            let piece =
                |was: &str, span, shown: Option<&str>, rule| DraftPiece { was: was.into(), shown: shown.map(str::to_owned), span, rule };
            json(DraftReview {
                case: "C-0007".parse().unwrap(),
                fault: "F-JW-1".parse().unwrap(),
                version: 1,
                fields: vec![DraftField {
                    language: Language::En,
                    field: CaseField::Symptom,
                    edited: true,
                    pieces: vec![
                        piece("call ", None, None, None),
                        piece("13812345678", Some(0), Some("[phone]"), Some(MaskRule::Phone)),
                        piece(" in ", None, None, None),
                        piece("Room 4", Some(1), None, Some(MaskRule::Site)),
                    ],
                }],
                decisions: Vec::new(),
            })
        }
        other => panic!("{other}"),
    });
    let home = tempfile::tempdir().unwrap();
    let output = run(&mut at(&server, home.path()), &["case", "draft", "C-0007"]);
    ends(&output, 0);
    let shown = stdout(&output);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(
        lines[1..],
        ["en.symptom.0\tphone\tcall »13812345678« in \t[phone]", "en.symptom.1\tsite\t in »Room 4«\tput back"],
        "{shown}"
    );
    assert!(stderr(&output).contains("was edited since"));
    let change = ["case", "draft", "C-0007", "--put-back", "en.symptom.0", "--take-out", "Li Lei", "--rule", "person"];
    ends(&run(&mut at(&server, home.path()), &change), 0);
    let body = server.body("POST", "/api/v1/cases/C-0007/draft");
    assert_eq!(
        body,
        value!({"put_back": [{"language": "en", "field": "symptom", "span": 0}], "take_out": [{"text": "Li Lei", "rule": "person"}]})
    );
    ends(&run(&mut at(&server, home.path()), &["case", "draft", "C-0007", "--put-back", "x"]), 2);
}

#[test]
fn lists_around_offers_are_read_page_by_page() {
    let server = Server::start(|route, asked| match route {
        "GET /api/v1/cases/signals" if asked.query.contains("after=1.ofr") => json(List::<Suggestions>::from(Vec::new())),
        "GET /api/v1/cases/signals" => json(value!({"items": [{
            "offer": OfferId::new(), "place": "filing", "query": "fan", "person": "noc-jw", "at": jiff::Timestamp::now(), "none_fits": true,
            "shown": [{"position": 1, "case": "C-0007", "score": 1.0, "opened": true, "cited": "helped"}],
        }], "next": "1.ofr"})),
        "PUT /api/v1/cases/signals/retention" => json(value!({"months": 6})),
        "GET /api/v1/cases/C-0007/evidence" => json(value!({"items": []})),
        other => panic!("{other}"),
    });
    let home = tempfile::tempdir().unwrap();
    let output = run(&mut at(&server, home.path()), &["case", "signals", "export"]);
    ends(&output, 0);
    assert!(stdout(&output).contains("none fits\tC-0007*=helped\tfan"), "{}", stdout(&output));
    let output = run(&mut at(&server, home.path()), &["case", "signals", "retention", "--months", "6", "-o", "json"]);
    ends(&output, 0);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&stdout(&output)).unwrap()["months"], 6);
    ends(&run(&mut at(&server, home.path()), &["case", "evidence", "list", "C-0007"]), 0);
}
