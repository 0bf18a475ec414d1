//! The live log: server-sent events that resume where they were cut.

use lineman_tests::{Demo, Http};
use serde_json::json;

fn file(http: &Http, title: &str) -> String {
    let new = json!({"equipment": "ne-4.jw.ne", "title": title, "impact": "none"});
    http.post("/api/v1/faults", &new).ok()["number"].as_str().expect("a number").to_owned()
}

/// The ids of the events that tell of this text, in their order.
fn ids(heard: &str, text: &str) -> Vec<u64> {
    let frames = heard.split("\n\n").filter(|frame| frame.contains(text));
    frames.map(|frame| frame.lines().find_map(|line| line.strip_prefix("id: ")?.parse().ok()).expect("an id")).collect()
}

pub fn the_log_streams_and_resumes_where_it_was_cut(demo: &Demo) {
    let noc = demo.http(Some("noc-jw"));
    file(&noc, "live-1");
    let heard = noc.follow("/api/v1/events?topics=fault&after=0", None, "live-1");
    let first = ids(&heard, "live-1")[0];
    assert!(!heard.contains("event: alarm"), "only what was asked for: {heard}");
    // Cut, and two more happen; from the last id on, both come, once each, and nothing that came before.
    file(&noc, "live-2");
    file(&noc, "live-3");
    let heard = noc.follow("/api/v1/events?topics=fault", Some(&first.to_string()), "live-3");
    assert!(!heard.contains("live-1"), "{heard}");
    let (second, third) = (ids(&heard, "live-2"), ids(&heard, "live-3"));
    assert!(second.len() == 1 && third.len() == 1 && first < second[0] && second[0] < third[0], "{first} {second:?} {third:?}");
    // An idle stream says that it is alive, and what time it is here.
    noc.follow("/api/v1/events?topics=nothing", None, "\"now\"");
    // Another customer's people hear nothing of it, and their numbers don't count it.
    let stranger = demo.http(Some("noc-yw"));
    stranger.post("/api/v1/faults", &json!({"customer": "YW", "title": "live-yw", "impact": "none"})).ok();
    let heard = stranger.follow("/api/v1/events?after=0", None, "live-yw");
    assert!(!heard.contains("live-1") && !heard.contains("F-JW-"), "{heard}");
    let numbers: Vec<u64> = heard.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap would count what is another's: {numbers:?}");
}
