//! How long the pages of a console's lists take among very many faults: filters, orders, free words, views.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;

use crate::centre::{Api, Centre, patient_tier};
use crate::plan::Plan;
use crate::report::{Row, percentile, row};
use crate::seed;

const CUSTOMERS: [&str; 5] = ["BA", "BB", "BC", "BD", "BE"];
/// Of each customer.
const DEVICES: u32 = 40;
/// What faults say: copied with a number of their own behind it.
const TEXTS: [(&str, &str); 12] = [
    ("板卡3 温度 92°C 越限", "机框内风扇停转, 板卡温度持续升高, 告警码 ALM:25621, 已影响部分业务; 值班员已通知现场检查空调和风扇盘"),
    ("OLT PON口 光功率低", "PON 3/1 下 40 户掉线, 接收光功率 -28.4 dBm, 怀疑主干光纤弯折, 需要现场测试 OTDR"),
    ("主控倒换失败", "升级后主备主控板反复倒换, 版本 v3.00.20, 日志显示心跳超时; 请远程诊断"),
    ("时钟失步", "BITS 时钟丢失, 基站 1588 同步告警, 邻站正常"),
    ("电源模块故障", "二路电源 -48V 输入丢失, 蓄电池放电中, 预计支持 4 小时"),
    ("SDH 光口 LOS", "S385 槽位 8 光口 2 LOS, 对端站无光, 疑似光缆中断"),
    (
        "Board temperature too high",
        "Slot 3 reports 92 degrees, the fan tray does not spin; traffic is partly affected, the site team is on its way",
    ),
    ("Rx power low on PON port", "40 subscribers lost service; receive power is -28.4 dBm since the splice of yesterday"),
    ("Software upgrade stuck", "The upgrade to v3.00.20 stopped at 63 percent and the standby controller does not come up any more"),
    ("BGP sessions flapping", "Neighbour 10.1.2.3 goes up and down every minute, hold timer expired, no change was made by us"),
    ("Power feed B lost", "Breaker tripped in the power room; batteries last four hours"),
    ("Packet loss between sites", "0.3 percent loss on the ring between north and south exchange, worse in the evening"),
];

pub async fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut centre = Centre::new("faults")?;
    let api = centre.start()?;
    for code in CUSTOMERS {
        let site = api.customer(code, &patient_tier()).await?;
        for number in 0..DEVICES {
            api.equipment(code, &site, &format!("ne-{number}"), None).await?;
        }
        for (title, description) in TEXTS {
            let filed = json!({"equipment": format!("ne-0.{}.ne", code.to_lowercase()), "title": title, "description": description, "impact": "partial"});
            api.post("/api/v1/faults", &filed).await?;
        }
    }
    centre.stop()?;
    let begun = Instant::now();
    seed(&centre, plan)?;
    eprintln!("  {} faults in {:.0} s", plan.faults, begun.elapsed().as_secs_f64());
    let api = centre.start()?;
    let begun = Instant::now();
    while api.get("/api/v1/faults?limit=1").await?["incomplete"] == true {
        ensure!(begun.elapsed() < Duration::from_secs(1800), "the texts were not indexed within half an hour");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let indexed_s = begun.elapsed().as_secs_f64();
    // What was open before is looked at once after a start; the figures are of a server that is up.
    tokio::time::sleep(Duration::from_secs(if plan.faults > 10_000 { 30 } else { 1 })).await;
    let pages = ask(&api, plan).await?;
    let all: Vec<f64> = pages.iter().flat_map(|page| page.times_ms.iter().copied()).collect();
    let slowest = pages.iter().max_by(|a, b| a.p95().total_cmp(&b.p95())).context("no page was asked for")?;
    eprintln!("  the slowest page: {}", slowest.what);
    Ok(vec![
        row("pages.indexed", indexed_s, "s"),
        row("pages.page_p50", percentile(&all, 0.5), "ms"),
        row("pages.page_p95", slowest.p95(), "ms"),
        row("pages.page_max", percentile(&all, 1.0), "ms"),
    ])
}

/// A page that is asked for, again and again. Each has its own percentile: among all together one slow page in thirty would not show.
struct Page {
    path: String,
    what: String,
    times_ms: Vec<f64>,
}

impl Page {
    fn new(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self { path: path.into(), what: what.into(), times_ms: Vec::new() }
    }

    fn p95(&self) -> f64 {
        percentile(&self.times_ms, 0.95)
    }
}

/// One in twenty is open.
fn seed(centre: &Centre, plan: &Plan) -> anyhow::Result<()> {
    let connection = seed::open(&centre.database())?;
    let templates: Vec<(String, String)> = {
        let mut statement = connection.prepare("SELECT id, customer FROM fault ORDER BY id")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?
    };
    let each = (plan.faults / u32::try_from(templates.len())?).max(1);
    connection.execute_batch(
        "CREATE TEMP TABLE device AS SELECT customer, row_number() OVER (PARTITION BY customer ORDER BY id) - 1 AS n, id FROM equipment;
         CREATE INDEX temp.device_n ON device(customer, n)",
    )?;
    for (place, (template, customer)) in templates.iter().enumerate() {
        let id = format!("printf('flt_0%07x%024x', number.n, {place})");
        let serial = format!("1000 + {place} * {each} + number.n");
        let device = format!("(SELECT d.id FROM device d WHERE d.customer = '{customer}' AND d.n = number.n % {DEVICES})");
        let changed = [
            ("id", id.as_str()),
            ("serial", serial.as_str()),
            ("equipment", device.as_str()),
            ("description", "t.description || ' 槽位 ' || (number.n % 17) || ' ref ' || (number.n * 7919)"),
            ("status", "iif(number.n % 20 = 0, 'accepted', 'closed')"),
            ("owner", "'engineer-' || substr('abcdefg', 1 + number.n % 7, 1)"),
            ("severity", "CASE number.n % 4 WHEN 0 THEN 'critical' WHEN 1 THEN 'major' WHEN 2 THEN 'minor' ELSE 'warning' END"),
        ];
        let ago = format!("t.reported_at - ({each} - number.n) * 60000000");
        let changed: Vec<_> = changed.into_iter().chain([("reported_at", ago.as_str())]).collect();
        seed::copies(&connection, "fault", &format!("id = '{template}'"), each, &changed)?;
        // The copied links of the chain fit nowhere: nobody checks the chain here.
        let link = format!("1000000 + {place} * {each} + number.n");
        let story = format!("fault = '{template}' AND kind = 'fault.reported'");
        seed::copies(&connection, "event", &story, each, &[("fault", &id), ("link", &link), ("shown", &link)])?;
    }
    connection.execute_batch("UPDATE customer SET last_fault = 10000000; PRAGMA optimize=0x10002; PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

fn hex(half: u8) -> char {
    char::from_digit(u32::from(half), 16).unwrap_or('0')
}

/// What consoles and people ask for, in turn.
async fn ask(api: &Api, plan: &Plan) -> anyhow::Result<Vec<Page>> {
    let mut pages = pages(api).await?;
    let rounds = (plan.asked as usize / 10).max(2);
    for place in (0..pages.len()).cycle().take(pages.len() * rounds) {
        let begun = Instant::now();
        api.get(&pages[place].path).await?;
        pages[place].times_ms.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    for page in &pages {
        eprintln!("  {:8.1} ms p50 {:8.1} ms p95  {}", percentile(&page.times_ms, 0.5), page.p95(), page.what);
    }
    Ok(pages)
}

async fn pages(api: &Api) -> anyhow::Result<Vec<Page>> {
    let encoded = |text: &str| text.bytes().flat_map(|b| ['%', hex(b >> 4), hex(b & 15)]).collect::<String>();
    let of = |q: &str, rest: &str| Page::new(format!("/api/v1/faults?q={}{rest}", encoded(q)), format!("{q}  {rest}"));
    let first = api.get("/api/v1/faults?sort=left&limit=10").await?;
    let next = encoded(first["next"].as_str().context("a next page")?);
    let left = "&sort=left&limit=100";
    let fault = first["items"][0]["number"].as_str().context("an open fault")?;
    let words = encoded("engineer-a 温度");
    Ok(vec![
        of("", left),
        of("", &format!("{left}&after={next}")),
        of("sev:critical,major", left),
        of("owner:me", left),
        of("owner:engineer-a -sev:warning", left),
        of("customer:BC site:bench", left),
        of("due:<10m", left),
        of("consent:waiting", left),
        of("product:router opened:<1d", "&sort=severity&limit=100"),
        of("温度", left),
        of("风扇 温度", left),
        of("temperature", left),
        of("te", left),
        of("\"rx power\"", left),
        of("status:all 温度", "&limit=100"),
        of("status:all 光功率 customer:BD", "&limit=100"),
        of("status:all ALM:25621", "&limit=100"),
        of("status:all te", "&limit=100"),
        of("status:all temperature sev:critical", &left.replace("left", "updated")),
        of("status:all 7919", "&limit=100"),
        of("status:all nothing-of-it", "&limit=100"),
        of("status:all F-BA-1234", "&limit=100"),
        of("status:closed owner:engineer-c", "&limit=100"),
        of("status:all product:router impact:none", "&limit=100"),
        Page::new("/api/v1/equipment?sort=worst&limit=200", "equipment"),
        Page::new("/api/v1/views", "views"),
        Page::new(format!("/api/v1/faults/{fault}"), "one fault"),
        Page::new("/api/v1/wall", "wall"),
        Page::new(format!("/api/v1/sessions?q={words}"), "sessions, with words"),
        Page::new("/api/v1/alarms?limit=200", "alarms"),
        Page::new(format!("/api/v1/consents?q={words}"), "consents, with words"),
    ])
}
