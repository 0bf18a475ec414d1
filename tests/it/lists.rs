//! Lists in the common grammar and saved views, as clients meet them: over HTTP and from the command line.

use lineman_tests::{Demo, Http, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const LISTS: [&str; 5] = ["faults", "alarms", "sessions", "equipment", "consents"];

/// A text as it stands behind a question mark.
fn encoded(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn items(reply: &Value) -> &Vec<Value> {
    reply["items"].as_array().unwrap_or_else(|| panic!("no items in {reply}"))
}

fn asked(http: &Http, list: &str, q: &str) -> Value {
    http.get(&format!("/api/v1/{list}?q={}", encoded(q))).ok()
}

/// The titles of faults that a question finds, sorted.
fn titles(http: &Http, q: &str) -> Vec<String> {
    let mut titles: Vec<_> =
        items(&asked(http, "faults", q)).iter().map(|fault| fault["title"].as_str().expect("a title").to_owned()).collect();
    titles.sort();
    titles
}

fn filed(http: &Http, ne: &str, title: &str, impact: &str) -> String {
    let new = json!({"equipment": ne, "title": title, "impact": impact});
    http.post("/api/v1/faults", &new).ok()["number"].as_str().expect("a number").to_owned()
}

pub fn every_list_understands_the_grammar(demo: &Demo) {
    let (engineer, noc, stranger) = (demo.http(Some("engineer-a")), demo.http(Some("noc-jw")), demo.http(Some("noc-yw")));
    filed(&noc, "ne-1.jw.ne", "列表测试 zqfan 温度越限", "full");
    filed(&noc, "ne-1.jw.ne", "列表测试 zqfan pump", "none");
    let both = ["列表测试 zqfan pump", "列表测试 zqfan 温度越限"];
    assert_eq!(titles(&engineer, "zqfan"), both);
    assert_eq!(titles(&engineer, "ZQF 列表"), both);
    assert_eq!(titles(&engineer, "zqfan sev:critical"), [both[1]]);
    assert_eq!(titles(&engineer, "zqfan 级别:紧急 客户:JW 状态:未关闭 负责人:无"), [both[1]]);
    assert_eq!(titles(&engineer, "zqfan -sev:critical opened:today"), [both[0]]);
    assert_eq!(titles(&noc, "zqfan reporter:me ne:ne-1"), both);
    assert_eq!(titles(&engineer, "\"温度越限\" zqfan age:<1h"), [both[1]]);
    for q in ["zqfan", "customer:JW", "列表测试", "reporter:noc-jw"] {
        assert_eq!(titles(&stranger, q), [""; 0], "{q}");
    }
    // What `status` says as ever, `q` adds to.
    let narrowed = engineer.get("/api/v1/faults?status=all&severity=minor&q=zqfan").ok();
    assert_eq!((items(&narrowed).len(), &narrowed["total"]), (1, &json!(1)));

    let equipment = asked(&engineer, "equipment", "ne:ne-1.jw.ne online:yes");
    assert_eq!(items(&equipment).len(), 1);
    assert_eq!(asked(&engineer, "equipment", "ne:ne-1.jw.ne online:no")["total"], 0);
    let theirs = asked(&stranger, "equipment", "");
    assert!(!items(&theirs).is_empty() && items(&theirs).iter().all(|ne| ne["name"].as_str().is_some_and(|name| name.ends_with(".yw.ne"))));
    for (list, q) in [
        ("alarms", "sev:critical,major state:raised -shelved:yes site:x"),
        ("alarms", "code:fan* ack:none age:>1m"),
        ("sessions", "engineer:me started:<1d -state:live recording:whole"),
        ("consents", "state:waiting customer:JW requested:<1d"),
        ("equipment", "worst:none faults:>=0 seen:<1d -product:nothing"),
    ] {
        let reply = asked(&engineer, list, q);
        assert!(reply["searched"].as_array().is_some_and(|columns| columns.len() > 3) && reply["as_of"].is_string(), "{list} {q}: {reply}");
    }
    // An unknown key names those that there are, and the nearest.
    for list in LISTS {
        let error = engineer.get(&format!("/api/v1/{list}?q={}", encoded("custmer:JW"))).problem(422, "invalid");
        let title = error.body["title"].as_str().expect("a title");
        assert!(title.contains("did you mean `customer:`") && title.contains("`equipment:`"), "{list}: {title}");
        let error = engineer.get(&format!("/api/v1/{list}?q={}", encoded("error:timeout"))).problem(422, "invalid");
        assert!(error.body["title"].as_str().expect("a title").contains("quotes"), "{list}: {error:?}");
        engineer.get(&format!("/api/v1/{list}?zone=Atlantis")).problem(422, "invalid");
    }
}

pub fn no_question_harms_a_list(demo: &Demo) {
    let people = [demo.http(Some("engineer-a")), demo.http(Some("noc-jw")), demo.http(Some("noc-yw"))];
    let many = |key: &str| format!("{key}:{}", (100..500).map(|n| n.to_string()).collect::<Vec<_>>().join(","));
    for (list, key) in [("faults", "customer"), ("alarms", "ne"), ("sessions", "ne"), ("equipment", "ne"), ("consents", "ne")] {
        let reply = people[0].get(&format!("/api/v1/{list}?q={}", encoded(&many(key)))).problem(422, "invalid");
        assert!(reply.body["title"].as_str().is_some_and(|title| title.contains("100 are the most")), "{reply:?}");
    }
    let long = [
        "x".repeat(10_000),
        "sev:critical ".repeat(800),
        "\"".repeat(1_999),
        "板卡 ".repeat(15),
        "(".repeat(1_500),
        many("ne"),
        format!("-{}", many("text")),
    ];
    let hostile = [
        "'; DROP TABLE fault; --",
        "\" OR \"1\"=\"1",
        "x' UNION SELECT password FROM person --",
        "fault_index MATCH '*'",
        "NEAR(a b) AND NOT c*",
        "{shown inside} : x",
        "shown:secret",
        "\0\u{1}\u{1b}[31m\u{202e}",
        "fan\u{0}\u{7f}temperature",
        "🔥👩‍🚀",
        "\u{200b}\u{feff}",
        "sev:\"",
        "sev:\"critical,",
        "customer:%",
        "customer:_W",
        "ne:*",
        "text:\"'\"",
        "due:<999999999999d",
        "due:<-5m",
        "opened:>9999-12-31",
        "age:>1d2h3m",
        "number:F-JW-1\n",
        "-:-:-:",
        "：：：",
        "a:b:c:d",
        "\\",
        "100% _ ?1 ?2 {now} {}",
        "{now}",
    ];
    for http in &people {
        for list in LISTS {
            for q in long.iter().map(String::as_str).chain(hostile) {
                let reply = http.get(&format!("/api/v1/{list}?q={}", encoded(q)));
                assert!(matches!(reply.status, 200 | 422), "{list} {q:?}: {reply:?}");
                if reply.status == 422 {
                    assert!(
                        reply.body["title"].as_str().is_some_and(|title| title.len() < 5_000 && !title.contains('\u{1b}')),
                        "{reply:?}"
                    );
                }
            }
            for bad in ["after=x", "after=1.2.3.4", "after=-1.-1.-1.flt_0", "limit=0", "sort=nonsense", "unknown=1"] {
                let reply = http.get(&format!("/api/v1/{list}?{bad}"));
                assert!(reply.status < 500, "{list} {bad}: {reply:?}");
            }
        }
    }
    // All is still there.
    assert!(!items(&asked(&people[0], "faults", "status:all")).is_empty() || !items(&asked(&people[0], "equipment", "")).is_empty());
    // `%` and `_` are no wildcards.
    assert_eq!(asked(&people[0], "equipment", "customer:_W")["total"], 0);
    assert_eq!(asked(&people[0], "equipment", "%")["total"], 0);
}

pub fn rows_carry_what_lists_show(demo: &Demo) {
    let (engineer, noc) = (demo.http(Some("engineer-a")), demo.http(Some("noc-jw")));
    let number = filed(&noc, "ne-4.jw.ne", "zqrow 板卡3 温度", "full");
    let row = |http: &Http, q: &str| items(&asked(http, "faults", q)).first().cloned().unwrap_or_else(|| panic!("nothing for {q}"));
    let own = format!("number:{number}");
    let first = row(&engineer, &own);
    for field in ["customer_name", "tier", "site", "product", "model"] {
        assert!(first[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {first}");
    }
    assert_eq!(
        (&first["number"], &first["repeats"], &first["live_sessions"], &first["breached"]),
        (&json!(number), &json!(1), &json!(0), &json!(false))
    );
    // It was routed right away.
    assert_eq!((&first["last"]["who"], &first["last"]["kind"]), (&json!("system"), &json!("fault.routed")));
    let clocks = first["clocks"].as_array().expect("clocks");
    let left: Vec<_> = clocks.iter().map(|clock| clock["left_s"].as_i64().expect("left_s")).collect();
    assert!(!left.is_empty() && left.is_sorted(), "{first}");
    // The row's clock is the page's.
    let page = engineer.get(&format!("/api/v1/faults/{number}")).ok();
    for clock in clocks {
        let name = &clock["name"];
        let whole = page["clocks"].as_array().expect("clocks").iter().find(|clock| clock["name"] == *name).expect("the clock");
        assert_eq!((&clock["target_s"], &clock["deadline_at"]), (&whole["target_s"], &whole["deadline_at"]), "{first}");
    }
    // A note is what happened last, and is found; an internal one only inside.
    for (text, internal) in [("备件 zqpart 已发出", false), ("zqsecret 内部", true)] {
        engineer.post(&format!("/api/v1/faults/{number}/notes"), &json!({"text": text, "internal": internal})).ok();
    }
    assert_eq!(row(&engineer, "zqsecret")["last"]["text"], "zqsecret 内部");
    assert_eq!(row(&noc, "zqpart")["last"]["text"], "备件 zqpart 已发出");
    assert_eq!(asked(&noc, "faults", "zqsecret")["total"], 0);
    // The order by time left knows it, and says so from the command's answer on.
    eventually("the list is in order of the time left", || {
        let listed = engineer.get(&format!("/api/v1/faults?sort=left&limit=1000&q={}", encoded("-due:none"))).ok();
        let deadline = |clock: &Value| clock["deadline_at"].as_str()?.parse::<jiff::Timestamp>().ok();
        let nearest = |row: &Value| row["clocks"].as_array()?.iter().map(deadline).collect::<Option<Vec<_>>>()?.into_iter().min();
        let left: Vec<_> = items(&listed).iter().filter_map(nearest).collect();
        let there = items(&listed).iter().any(|row| row["number"] == number.as_str());
        (there && left.is_sorted()).then_some(()).ok_or_else(|| format!("{left:?}"))
    });
    engineer.post(&format!("/api/v1/faults/{number}/accept"), &json!({})).ok();
    assert_eq!(titles(&engineer, "zqrow owner:me"), ["zqrow 板卡3 温度"]);
    assert!(row(&engineer, &own)["clocks"].as_array().expect("clocks").iter().all(|clock| clock["name"] != "K1"));

    let equipment = items(&asked(&engineer, "equipment", "ne:ne-4.jw.ne"))[0].clone();
    assert!(equipment["online"].is_boolean() && equipment["open_faults"].as_u64().is_some_and(|faults| faults > 0), "{equipment}");
    for sort in ["name", "worst", "faults"] {
        let whole = engineer.get(&format!("/api/v1/equipment?sort={sort}")).ok();
        let (mut after, mut seen) = (String::new(), Vec::new());
        loop {
            let page = engineer.get(&format!("/api/v1/equipment?sort={sort}&limit=3{after}")).ok();
            seen.extend(items(&page).iter().map(|row| row["name"].clone()));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={}", encoded(next)),
                None => break,
            }
        }
        assert_eq!(seen, items(&whole).iter().map(|row| row["name"].clone()).collect::<Vec<_>>(), "{sort}");
    }
}

pub fn views_are_saved_shared_and_counted(demo: &Demo) {
    let (engineer, noc, manager) = (demo.http(Some("engineer-b")), demo.http(Some("noc-yw")), demo.http(Some("manager-d")));
    let views = |http: &Http| items(&http.get("/api/v1/views").ok()).clone();
    let built_in = |http: &Http| {
        let of_person = |view: &&Value| view["built_in"].is_string();
        views(http).iter().filter(of_person).map(|view| view["query"].as_str().expect("a query").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(built_in(&engineer), ["owner:me", "due:<10m", "consent:waiting"]);
    assert_eq!(built_in(&noc), ["reporter:me", "due:<10m", "consent:waiting"]);
    assert!(views(&engineer).iter().all(|view| view["count"]["count"].is_u64() && view["problem"].is_null()), "{:?}", views(&engineer));

    let new = json!({"name": "zqview 紧急", "list": "faults", "query": "zqview", "sort": "left"});
    let view = engineer.post("/api/v1/views", &new).ok();
    let id = view["id"].as_str().expect("an id").to_owned();
    assert_eq!((&view["count"]["count"], &view["yours"]), (&json!(0), &json!(true)));
    engineer.post("/api/v1/views", &new).problem(409, "conflict");
    // The count follows what happens, for each as far as they may see.
    let other = demo.http(Some("noc-jw"));
    filed(&other, "ne-1.jw.ne", "zqview", "none");
    let counted = |http: &Http| http.get(&format!("/api/v1/views/{id}")).ok()["count"]["count"].clone();
    eventually("the view counts the fault", || (counted(&engineer) == 1).then_some(()).ok_or_else(|| counted(&engineer).to_string()));

    for wrong in [
        json!({"name": " ", "list": "faults"}),
        json!({"name": "x", "list": "faults", "query": "sevrity:critical"}),
        json!({"name": "x", "list": "faults", "query": "sev:nonsense"}),
        json!({"name": "x", "list": "alarms", "sort": "left"}),
        json!({"name": "x".repeat(61), "list": "faults"}),
        json!({"name": "x", "list": "cases", "query": "x ".repeat(1_001)}),
        json!({"name": "x", "list": "cases", "query": "state:nonsense"}),
    ] {
        engineer.post("/api/v1/views", &wrong).problem(422, "invalid");
    }
    engineer.post("/api/v1/views", &json!({"name": "x", "list": "faults", "shared": true})).problem(403, "forbidden");
    other.post("/api/v1/views", &json!({"name": "x", "list": "faults", "shared": true})).problem(403, "forbidden");
    for list in ["faults", "alarms", "sessions", "equipment", "consents", "cases"] {
        let saved =
            manager.post("/api/v1/views", &json!({"name": format!("zqshared {list}"), "list": list, "shared": true, "position": 7})).ok();
        assert!(saved["count"]["count"].is_u64(), "{saved}");
    }
    let shared = |http: &Http| {
        views(http)
            .iter()
            .filter(|view| view["shared"] == true && view["name"].as_str().is_some_and(|name| name.starts_with("zqshared")))
            .count()
    };
    assert_eq!((shared(&engineer), shared(&manager), shared(&noc)), (6, 6, 0), "a carrier's people don't see what names other customers");
    let theirs = views(&engineer).into_iter().find(|view| view["name"] == "zqshared faults").expect("the shared one");
    let path = format!("/api/v1/views/{}", theirs["id"].as_str().expect("an id"));
    assert_eq!(theirs["yours"], false);
    engineer.send(Method::DELETE, &path, None).problem(403, "forbidden");
    noc.get(&path).problem(404, "not_found");
    let change = |body: Value| Some(("application/json", body.to_string().into_bytes()));
    engineer.send(Method::PATCH, &path, change(json!({"query": "sev:minor"}))).problem(403, "forbidden");
    let renamed =
        demo.http(Some("admin-z")).send(Method::PATCH, &path, change(json!({"query": "sev:minor", "name": "zqshared minor"}))).ok();
    assert_eq!((&renamed["query"], &renamed["name"]), (&json!("sev:minor"), &json!("zqshared minor")));
    let taken_back = demo.http(Some("admin-z")).send(Method::PATCH, &path, change(json!({"shared": false}))).ok();
    assert_eq!((&taken_back["shared"], &taken_back["yours"]), (&json!(false), &json!(false)));
    demo.http(Some("admin-z")).get(&path).problem(404, "not_found");
    manager.send(Method::PATCH, &path, change(json!({"query": "x ".repeat(1_001)}))).problem(422, "invalid");
    manager.send(Method::PATCH, &path, change(json!({"shared": true}))).ok();
    for view in views(&manager).iter().filter(|view| view["yours"] == true && view["shared"] == true) {
        manager.send(Method::DELETE, &format!("/api/v1/views/{}", view["id"].as_str().expect("an id")), None).ok();
    }
    assert_eq!(shared(&engineer), 0);
    // A renamed view is nobody's built-in one any more.
    let mine = views(&noc).into_iter().find(|view| view["built_in"] == "mine").expect("mine");
    let path = format!("/api/v1/views/{}", mine["id"].as_str().expect("an id"));
    let renamed = noc.send(Method::PATCH, &path, change(json!({"name": "ours", "position": 9}))).ok();
    assert!(renamed["built_in"].is_null() && renamed["position"] == 9, "{renamed}");
    engineer.send(Method::DELETE, &format!("/api/v1/views/{id}"), None).ok();
    engineer.get(&format!("/api/v1/views/{id}")).problem(404, "not_found");
}

pub fn lists_and_views_from_the_command_line(demo: &Demo) {
    let noc = demo.http(Some("noc-jw"));
    let number = filed(&noc, "ne-1.jw.ne", "zqcli 温度", "full");
    let run = |args: &[&str]| demo.person("engineer-a").args(args.iter().copied()).output();
    let numbers = |args: &[&str]| -> Vec<String> {
        let listed = run(args).ok().json();
        listed.as_array().expect("a list").iter().map(|fault| fault["number"].as_str().expect("a number").to_owned()).collect()
    };
    assert_eq!(numbers(&["fault", "list", "--query", "zqcli sev:critical", "--sort", "left", "-o", "json"]), std::slice::from_ref(&number));
    assert_eq!(numbers(&["fault", "list", "--query", "zqcli 状态:已结束", "-o", "json"]), [""; 0]);
    let wrong = run(&["fault", "list", "--query", "sevrity:critical"]);
    assert!(wrong.stderr.contains("did you mean `severity:`"), "{wrong:?}");

    let saved = run(&["view", "save", "zqcli view", "zqcli sev:critical", "--sort", "left", "-o", "json"]).ok().json();
    assert_eq!(saved["query"], "zqcli sev:critical");
    assert_eq!(numbers(&["fault", "list", "--view", "zqcli view", "-o", "json"]), std::slice::from_ref(&number));
    assert_eq!(numbers(&["fault", "list", "--view", "zqcli view", "--query", "owner:me", "-o", "json"]), [""; 0]);
    run(&["view", "save", "zqcli view", "zqcli -sev:critical"]).ok();
    assert_eq!(numbers(&["fault", "list", "--view", "zqcli view", "-o", "json"]), [""; 0]);
    let listed = run(&["view", "list", "--of", "faults", "-o", "json"]).ok().json();
    assert!(listed.as_array().expect("a list").iter().any(|view| view["name"] == "zqcli view" && view["count"]["count"] == 0), "{listed}");
    assert_eq!(run(&["view", "show", "zqcli view", "-o", "json"]).ok().json()["list"], "faults");
    run(&["view", "delete", "zqcli view", "--yes"]).ok();
    let gone = run(&["fault", "list", "--view", "zqcli view"]);
    assert!(gone.stderr.contains("no view named") && gone.stderr.contains("Mine"), "{gone:?}");

    assert!(run(&["equipment", "list", "--query", "ne:ne-1.jw.ne", "-o", "json"]).ok().json()[0]["customer_name"].is_string());
    run(&["alarm", "list", "--query", "sev:critical state:cleared", "-o", "json"]).ok();
    run(&["session", "list", "--query", "engineer:me started:today", "-o", "json"]).ok();
}
