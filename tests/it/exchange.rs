//! The library in files: import and export, a folder that git could keep, hostile files, the users' synonyms.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use lineman_tests::{Demo, Output};
use reqwest::Method;
use serde_json::{Value, json};

const IMPORT: &str = "/api/v1/cases/import";

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).expect("a file")
}

fn edit(path: impl AsRef<Path>, from: &str, to: &str) {
    let text = read(&path);
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).expect("a file");
}

/// The verdicts of a printed plan.
fn verdicts(plan: &Value) -> Vec<&str> {
    plan["cases"].as_array().into_iter().flatten().map(|case| case["verdict"].as_str().unwrap_or_default()).collect()
}

/// The name of the plan that a dry run told.
fn plan_of(output: &Output) -> String {
    let line = output.stderr.lines().find_map(|line| line.strip_prefix("plan ")).unwrap_or_else(|| panic!("no plan: {output:?}"));
    line.to_owned()
}

pub fn a_library_is_kept_in_a_folder(demo: &Demo) {
    let dir = demo.scratch("library");
    let [csv, folder] = ["cases.csv", "git"].map(|name| dir.join(name).display().to_string());
    let engineer = |args: &[&str]| demo.person("engineer-a").args(args).output();
    let rows = "\u{feff}source,key,en_title,en_steps,codes\r\nwiki,1,zqfolder fan,turn it,=1+1\r\nwiki,2,zqfolder board,reseat,\r\nwiki,3,,no title,\r\n";
    std::fs::write(&csv, rows).expect("a file");

    // A dry run, then exactly what it showed.
    let shown = engineer(&["case", "import", &csv]).exits(8).says("2 new").says("1 refused").says("cases.csv:4");
    assert!(engineer(&["case", "export", "-o", "jsonl", "--query", "zqfolder"]).ok().stdout.is_empty(), "nothing was written");
    engineer(&["case", "import", &csv, "--apply", "1-0123456789abcdef"]).exits(6).says("nothing was written");
    engineer(&["case", "import", &csv, "--apply", &plan_of(&shown)]).exits(8).says("2 cases changed");
    let again = engineer(&["case", "import", &csv, "--yes", "-o", "json"]).exits(8);
    let again: Value = serde_json::from_str(&again.stdout).expect("JSON");
    assert_eq!(verdicts(&again), ["same", "same", "refused"]);

    // A folder: the same bytes each time, and what is changed there comes back.
    let export = || engineer(&["case", "export", "--dir", &folder, "--query", "zqfolder"]);
    export().ok();
    let number = again["cases"][0]["number"].as_str().expect("a number");
    let [fan, board] = [0, 1].map(|at| format!("{folder}/{}.md", again["cases"][at]["number"].as_str().expect("a number")));
    let before = (read(&fan), read(format!("{folder}/.lineman-library.tsv")));
    export().ok().says("0 files changed");
    assert_eq!(before, (read(&fan), read(format!("{folder}/.lineman-library.tsv"))));
    edit(&fan, "turn it", "turn it twice");
    export().ok().says("changed here");
    let shown = engineer(&["case", "import", "--dir", &folder]).ok().says("en.steps: +1 -1 lines");
    // Somebody changes the library in between.
    let case = demo.http(Some("engineer-b")).get(&format!("/api/v1/cases/{number}")).ok();
    let body = |steps: &str| json!({"en": {"title": "zqfolder fan", "steps": steps}, "codes": case["codes"]});
    demo.http(Some("engineer-b")).with("if-match", "*").put(&format!("/api/v1/cases/{number}"), &body("clean it")).ok();
    engineer(&["case", "import", "--dir", &folder, "--apply", &plan_of(&shown)]).exits(6).says(number);
    engineer(&["case", "import", "--dir", &folder, "--yes"]).exits(8).says("clean it").says("turn it twice").says("1 conflict");
    export().exits(8).says("both sides");
    // Both texts in one, with the newest version.
    edit(&fan, "version = 1", "version = 2");
    edit(&fan, "turn it twice", "clean it, turn it twice");
    engineer(&["case", "import", "--dir", &folder, "--yes"]).ok().says("1 cases changed");
    assert!(read(&fan).contains("version = 3"));
    engineer(&["case", "import", "--dir", &folder]).ok().says("nothing to change");

    // A file by hand, a renamed one, a deleted one.
    std::fs::write(format!("{folder}/by-hand.md"), "+++\n+++\n# zqfolder 手写\n## 步骤\n看\n").expect("a file");
    std::fs::rename(&fan, format!("{folder}/fan.md")).expect("a file");
    std::fs::remove_file(&board).expect("a file");
    let shown = engineer(&["case", "import", "--dir", &folder]).ok().says("1 new").says("archive it with --prune");
    engineer(&["case", "import", "--dir", &folder, "--apply", &plan_of(&shown)]).ok();
    assert!(read(format!("{folder}/by-hand.md")).contains("number = \"C-"));
    engineer(&["case", "import", "--dir", &folder, "--prune", "--yes"]).ok().says("1 archived");
    let left = engineer(&["case", "export", "-o", "csv", "--query", "zqfolder"]).ok().stdout;
    assert!(!left.contains("zqfolder board") && left.contains("手写") && left.contains(",'=1+1,"), "{left}");
}

pub fn an_export_shows_no_customer_and_customers_get_what_is_theirs(demo: &Demo) {
    let (admin, noc) = (demo.http(Some("admin-z")), demo.http(Some("noc-yw")));
    let item = |key: &str, title: &str, audience: &str| json!({"source": "zqout", "key": key, "audience": audience, "en": {"title": title, "steps": "zqout"}});
    let items =
        [item("1", "published", "customer"), item("2", "inside", "internal"), item("3", "seen at 10.1.2.3 of ne-4.jw.ne", "internal")];
    let import = json!({"as": "validated", "items": items});
    let plan = admin.post(IMPORT, &import).ok();
    assert_eq!(verdicts(&plan), ["new", "new", "new"]);
    let mut apply = import.clone();
    apply["plan"] = plan["plan"].clone();
    let done = admin.post(IMPORT, &apply).ok();
    assert!(done["applied"] == true && done["cases"][0]["state"] == "validated");
    let case = admin.get(&format!("/api/v1/cases/{}", done["cases"][0]["number"].as_str().expect("a number"))).ok();
    assert_eq!(case["reviewer"], "admin-z");
    demo.http(Some("engineer-a")).post(IMPORT, &import).problem(403, "forbidden");
    noc.post(IMPORT, &json!({"items": items})).problem(403, "forbidden");

    let titles = |page: &Value| page["items"].as_array().into_iter().flatten().map(|item| item["en"]["title"].clone()).collect::<Vec<_>>();
    let page = admin.get("/api/v1/cases/export?q=zqout").ok();
    assert_eq!(titles(&page), ["published", "inside"]);
    assert!(page["held_back"][0]["shows"].to_string().contains("en.title"), "{page}");
    assert_eq!(titles(&admin.get("/api/v1/cases/export?q=zqout&as_is=true").ok()).len(), 3);
    let page = noc.get("/api/v1/cases/export?q=zqout").ok();
    assert_eq!((titles(&page), page["items"][0]["key"].is_null()), (vec![json!("published")], true));
    noc.get("/api/v1/cases/export?q=zqout&as_is=true").problem(403, "forbidden");
    admin.get("/api/v1/cases/export?q=state:publishd").problem(422, "invalid");
    let file = admin.get("/api/v1/cases/export/file?form=csv&q=zqout").body;
    assert!(file.as_str().is_some_and(|text| text.starts_with("id,number,") && text.lines().count() == 3), "{file}");
}

pub fn hostile_files_are_refused_in_words(demo: &Demo) {
    let dir = demo.scratch("hostile");
    let import = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).expect("a file");
        demo.person("engineer-a").args(["case", "import", &path.display().to_string(), "--yes"]).output()
    };
    let deep = "[".repeat(200_000);
    import("deep.json", deep.as_bytes()).exits(8).says("not JSON");
    import("deep.md", format!("+++\nx = {deep}\n+++\n# x\n").as_bytes()).exits(8).says("deep.md:");
    import("long.jsonl", format!("{{\"en\": {{\"title\": \"{}\"}}}}\n", "x".repeat(10_000_000)).as_bytes()).exits(1);
    import("long.csv", format!("en_title\n\"{}\n", "x".repeat(10_000_000)).as_bytes()).exits(8).says("none closes");
    import("gbk.csv", b"en_title,zh_title\n,\xb7\xe7\xc9\xc8\xcd\xa3\xd7\xaa\n").exits(2).says("iconv -f GB18030");
    import("utf16.csv", b"\xff\xfee\0n\0").exits(2).says("UTF-16");
    import("binary.csv", b"\x7fELF\xff\xff").exits(2).says("not UTF-8");
    let control = import("control.csv", b"en_title\n\"a\x1b[2Jb\"\n").exits(8).says("control character");
    assert!(!control.stderr.contains('\u{1b}') && !control.stdout.contains('\u{1b}'));
    import("name.exe", b"x").exits(2).says(".csv");
    import("typo.jsonl", b"{\"en\": {\"titel\": \"x\"}}\n").exits(8).says("titel");

    // The server says the same without the command.
    let engineer = demo.http(Some("engineer-a"));
    let raw = |body: Vec<u8>| engineer.send(Method::POST, IMPORT, Some(("application/json", body)));
    raw(vec![b' '; 2 * 1024 * 1024]).problem(413, "too_large");
    raw(format!("{{\"items\": {deep}").into_bytes()).problem(422, "invalid");
    raw(b"{\"items\": [{\"id\": \"cas_1\"}]}".to_vec()).problem(422, "invalid");
    raw(b"{}".to_vec()).problem(422, "invalid");
    let files = json!({"files": [{"name": "../../../etc/cron.d/x.md", "text": "x"}, {"name": "\u{1b}]0;x\u{7}.md", "text": "---"}]});
    let plan = engineer.post(IMPORT, &files).ok();
    assert_eq!(verdicts(&plan), ["refused", "refused"]);
    let many: Vec<Value> = (0..1_001).map(|key| json!({"source": "zq", "key": key.to_string(), "en": {"title": "x"}})).collect();
    let refused = engineer.post(IMPORT, &json!({"items": many})).problem(422, "invalid");
    assert!(refused.body["title"].as_str().is_some_and(|title| title.contains("1000")), "{refused:?}");
}

/// Numbers of the cases that a search finds.
fn found(demo: &Demo, question: &str) -> Vec<String> {
    let engineer = demo.http(Some("engineer-a"));
    let hits = engineer.send(Method::GET, &format!("/api/v1/cases?q={question}"), None).ok();
    hits["items"].as_array().into_iter().flatten().map(|hit| hit["number"].as_str().unwrap_or_default().to_owned()).collect()
}

pub fn users_synonyms_count_from_the_next_question_on(demo: &Demo) {
    let engineer = demo.http(Some("engineer-a"));
    let body = json!({"en": {"title": "zqflux capacitor hums", "steps": "shield the zqflux capacitor"}});
    let number = engineer.post("/api/v1/cases", &body).ok()["number"].as_str().expect("a number").to_owned();
    assert!(!found(demo, "曲速线圈").contains(&number));
    let lineman = |args: &[&str]| demo.person("engineer-a").args(["case", "synonyms"]).args(args).output();
    let group = lineman(&["add", "--zh", "曲速线圈", "--en", "zqflux capacitor", "-o", "json"]).json();
    let id = group["id"].as_str().expect("an id");
    assert!(found(demo, "曲速线圈").contains(&number), "at once");
    lineman(&["off", id]).ok();
    assert!(!found(demo, "曲速线圈").contains(&number));
    lineman(&["on", id]).ok();
    assert!(found(demo, "曲速线圈").contains(&number));

    // What is built in is switched off, not edited; what may not be meant is a warning.
    let listed = lineman(&["list", "-o", "json", "--limit", "1000"]).json();
    let built_in = listed.as_array().into_iter().flatten().find(|group| group["built_in"] == true).expect("a built-in group");
    let field = built_in["id"].as_str().expect("an id");
    lineman(&["edit", field, "--zh", "甲乙", "--en", "x"]).exits(6).says("built in");
    let doubtful = lineman(&["edit", id, "--zh", "曲", "--en", "zqflux capacitor", "--en", "board"]).ok();
    assert!(doubtful.stderr.contains("single character") && doubtful.stderr.contains("also stands in the group field-"), "{doubtful:?}");

    // Out and in again.
    let table = lineman(&["export"]).ok().stdout;
    assert!(table.contains("曲\tzqflux capacitor; board\n"), "{table}");
    let file = demo.scratch("synonyms").join("table.tsv");
    std::fs::write(&file, &table).expect("a file");
    lineman(&["import", &file.display().to_string()]).ok().says("nothing to change");
    std::fs::write(&file, table.replace("曲\t", "曲速\t")).expect("a file");
    lineman(&["import", &file.display().to_string()]).ok().says("add --yes");
    lineman(&["import", &file.display().to_string(), "--yes"]).ok();
    lineman(&["remove", id, "--yes"]).ok();
    lineman(&["remove", id, "--yes"]).exits(3);

    // A carrier's people neither change them nor see the users' own.
    let noc = demo.http(Some("noc-jw"));
    noc.post("/api/v1/cases/synonyms", &json!({"zh": ["甲乙"], "en": ["x y"]})).problem(403, "forbidden");
    assert!(
        noc.get("/api/v1/cases/synonyms?limit=1000").ok()["items"]
            .as_array()
            .expect("groups")
            .iter()
            .all(|group| group["built_in"] == true)
    );
}

/// `kill -9` in the middle of a large import, of the command and of the server: the same command does the rest, and doubles nothing.
pub fn an_import_that_was_killed_is_completed_by_the_next_one() {
    let demo = Demo::up(1);
    let total = if std::env::var_os("SOAK").is_some() { 10_000 } else { 1_600 };
    let line = |n: u32| {
        let steps = format!("replace unit {n} {}", "and check it ".repeat(20));
        json!({"source": "zqbig", "key": n.to_string(), "codes": [format!("ZQ-{n}")], "en": {"title": format!("unit {n} fails"), "steps": steps}}).to_string() + "\n"
    };
    let file = demo.scratch("big").join("big.jsonl");
    std::fs::write(&file, (0..total).map(line).collect::<String>()).expect("a file");
    let file = file.display().to_string();
    let import = ["case", "import", &file, "--yes", "-o", "json"];

    // The command dies after its first part.
    let mut command = demo.person("engineer-a").args(import).command();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a process");
    let said = BufReader::new(child.stderr.take().expect("a pipe"));
    said.lines().map_while(Result::ok).find(|line| line.ends_with("changed")).expect("progress");
    child.kill().expect("a kill");
    child.wait().expect("an end");
    // So does the server, in the middle of what comes next.
    let mut command = demo.person("engineer-a").args(import).command();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a process");
    let said = BufReader::new(child.stderr.take().expect("a pipe"));
    let _ = said.lines().map_while(Result::ok).find(|line| line.ends_with("changed"));
    let pid = rustix::process::Pid::from_raw(i32::try_from(demo.pid_of("server")).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("a kill");
    child.wait().expect("an end");
    let _server = demo.start_server();

    demo.person("engineer-a").args(import).output().ok();
    let exported =
        demo.person("engineer-a").args(["case", "export", "-o", "jsonl", "--query", "zqbig unit fails", "--as-is"]).output().ok();
    assert!(exported.stdout.is_empty(), "`source` is no text of the case");
    let exported = demo.person("engineer-a").args(["case", "export", "-o", "jsonl", "--query", "unit fails", "--as-is"]).output().ok();
    let mut keys: Vec<u32> = exported
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["key"].as_str().and_then(|key| key.parse().ok()).expect("a key"))
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..total).collect::<Vec<_>>());
    demo.person("engineer-a").args(import).output().ok().says("nothing to change");
}
