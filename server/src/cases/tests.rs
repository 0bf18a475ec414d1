//! The library with its real schema: a handful of bilingual cases, the life of a case, who sees what. How they are found: `find/tests.rs`.

use lineman_common::alarm::{AlarmKey, AlarmReport, EventType, ProbableCause, Severity};
use lineman_common::api::{Audience, CaseHit, CaseText, Fault, NewCustomer, NewEquipment, NewSite, Resolution, Tier};
use lineman_common::fault::Channel;
use lineman_common::id::{CustomerId, PersonId};
use lineman_common::people::Role;

use super::find::{Ask, Finder};
use super::*;
use crate::alarms;
use crate::customers;
use crate::faults::Reference as FaultReference;
use crate::meaning::Meaning;
use crate::store::Tx;
use crate::store::testing::TestStore;
use crate::web::Actor;

pub fn actor(name: &str, role: Role, customer: Option<(CustomerId, &str)>) -> Actor {
    let customer = customer.map(|(id, code)| (id, code.parse().unwrap()));
    Actor { id: PersonId::new(), name: name.parse().unwrap(), role, customer }
}

pub fn engineer(name: &str) -> Actor {
    actor(name, Role::Engineer, None)
}

/// `title | symptom | cause` in one language.
fn text(line: &str) -> Option<CaseText> {
    let mut parts = line.split('|').map(str::trim);
    let title = parts.next().filter(|title| !title.is_empty())?;
    let mut next = || parts.next().unwrap_or_default().into();
    Some(CaseText { title: title.into(), symptom: next(), cause: next(), steps: next(), resolution: "done".into() })
}

pub fn body(zh: &str, en: &str, equipment: &[&str], codes: &[&str]) -> CaseBody {
    CaseBody {
        zh: text(zh),
        en: text(en),
        equipment: equipment.iter().map(|name| about(name)).collect(),
        codes: codes.iter().map(|code| (*code).into()).collect(),
        cause: None,
        audience: Audience::Internal,
    }
}

fn page(state: Option<CaseState>, after: Option<CaseNumber>) -> sql::Filter {
    sql::Filter { state, after, limit: 100, ..sql::Filter::default() }
}

/// `OLT C320`: a product and a model.
fn about(name: &str) -> CaseEquipment {
    let (product, model) = name.split_once(' ').unwrap_or((name, ""));
    CaseEquipment { product: product.into(), model: model.into(), ..CaseEquipment::default() }
}

pub struct Library {
    pub store: TestStore,
    pub finder: Finder,
}

impl Library {
    pub fn empty() -> Self {
        Self { store: TestStore::new(), finder: Finder::new(library::Library::in_memory(), Meaning::off()) }
    }

    /// C-0001 to C-0008, all validated.
    pub fn new() -> Self {
        let mut library = Self::empty();
        for body in [
            body("风扇停转导致板卡温度过高 | 板卡3温度告警，风扇框转速为0 | 风扇轴承卡死", "", &["OLT C320"], &["fan.speed", "ALM-25621"]),
            body(
                "",
                "Uplink flaps after optical module ages | packet loss on the uplink, weak light | SFP receive power too low",
                &["ZXR10 8902E"],
                &["ALM-25622"],
            ),
            body(
                "磁盘空间不足，日志写满 | 文件系统告警 | 日志未轮转",
                "Disk full: logs fill the filesystem | no space left | log rotation was off",
                &[],
                &["42-315"],
            ),
            body("基站退服，光缆中断 | 小区退服，无光 | 施工挖断光缆", "", &["BBU B8200"], &["LOS"]),
            body(
                "",
                "Power supply module fails at low voltage | board reboots at night | undervoltage on the DC input",
                &["OLT C300"],
                &["power.voltage"],
            ),
            body(
                "时钟失步 | 误码增加，业务质量下降 | 时钟源切换失败",
                "Clock out of sync | bit errors rise | clock source switchover failed",
                &[],
                &["ALM-1001"],
            ),
            body("主控板倒换后网管脱管 | 网管无法登录 | 网关配置丢失", "", &["ZXR10 8905E"], &[]),
            body(
                "",
                "Memory leak in the routing process | slow console, then restart | software defect fixed in a patch",
                &["ZXR10 8902E"],
                &["ALM-25630"],
            ),
        ] {
            library.add(&body);
        }
        library
    }

    pub fn add(&mut self, body: &CaseBody) -> CaseNumber {
        let number = self.store.write(|tx| create(tx, &engineer("author-a"), body)).unwrap().number;
        let reference = Reference::Number(number);
        self.store.write(|tx| submit(tx, &engineer("author-a"), &reference)).unwrap();
        self.store.write(|tx| publish(tx, &engineer("reviewer-b"), &reference)).unwrap();
        number
    }

    pub fn hits(&self, scope: &Scope, question: &str) -> Vec<CaseHit> {
        self.store.read(|db| self.finder.answer(db, scope, &Ask { text: question, limit: 20, ..Ask::default() })).unwrap().items
    }

    pub fn ask(&self, question: &str) -> Vec<u32> {
        self.hits(&Scope::All, question).iter().map(|hit| hit.number.0).collect()
    }

    pub fn why(&self, question: &str) -> Vec<String> {
        self.hits(&Scope::All, question)[0].why.iter().map(ToString::to_string).collect()
    }

    /// A customer with a site and one `OLT C320` named `ne-1`.
    pub fn customer(&mut self, code: &str) -> CustomerId {
        let admin = actor("admin-z", Role::Admin, None);
        let tier = Tier { name: "gold".into(), accept_s: Some(300), respond_s: Some(600), ..Tier::default() };
        let (code, name) = (code.parse().unwrap(), format!("{code} Telecom"));
        self.store.write(|tx| {
            customers::set_tier(tx, &admin, &tier).unwrap();
            let customer = customers::add(tx, &admin, NewCustomer { code, name: name.into(), tier: tier.name }).unwrap();
            let site = NewSite {
                customer: customer.code.clone(),
                name: "North exchange".into(),
                zone: "UTC".into(),
                latitude_deg: None,
                longitude_deg: None,
                access_notes: "".into(),
            };
            let site = customers::add_site(tx, &admin, site).unwrap();
            let device = NewEquipment {
                customer: customer.code,
                handle: "ne-1".parse().unwrap(),
                site: site.id,
                product: "OLT".into(),
                model: "C320".into(),
                serial: "SN2102312".into(),
                software: "1.0".into(),
                parent: None,
            };
            equipment::add(tx, &admin, device).unwrap();
            customer.id
        })
    }

    pub fn fan_fails(&mut self) -> Fault {
        let report = AlarmReport {
            key: AlarmKey { alarm_type: "fan.speed".into(), qualifier: "fan-2".into() },
            state: lineman_common::alarm::ResourceState::Raised,
            severity: Severity::Major,
            event_type: EventType::Equipment,
            probable_cause: ProbableCause::FanFailure,
            text: "fan-2 speed 0 rpm: fan stopped / 风扇 fan-2 转速 0 rpm，风扇停转".into(),
            value: Some("0 rpm".into()),
            threshold: None,
            at: self.store.now,
        };
        self.store.write(|tx| {
            let device = equipment::find(tx, &Scope::All, &"ne-1.jw.ne".parse().unwrap()).unwrap();
            alarms::report(tx, &device, &report).unwrap();
            faults::from_alarms::settle(tx).unwrap();
        });
        // The hold, in which a root cause may come.
        self.store.now += jiff::SignedDuration::from_secs(5);
        self.store.write(|tx| {
            faults::from_alarms::settle(tx).unwrap();
            faults::get(tx, &Scope::All, &"F-JW-1".parse().unwrap()).unwrap()
        })
    }

    pub fn resolve(&mut self, fault: &Fault) -> FaultReference {
        let (person, reference) = (engineer("engineer-a"), FaultReference::Number(fault.number.clone()));
        self.store.write(|tx| {
            faults::accept(tx, &person, &reference).unwrap();
            let diagnosis =
                lineman_common::api::Diagnosis { cause: "风扇轴承卡死".into(), plan: "reset fan-2 on ne-1.jw.ne (10.0.0.7)".into() };
            faults::diagnose(tx, &person, &reference, &diagnosis).unwrap();
            faults::restore(tx, &person, &reference, Some(&"spare fan carries the load".into())).unwrap();
            let resolution = Resolution { channel: Channel::Remote, cause: None, note: "fan reset by remote session, password=abc".into() };
            faults::resolve(tx, &person, &reference, resolution).unwrap();
        });
        reference
    }
}

// ---- Life -----------------------------------------------------------------------------------------------------------

#[test]
fn a_case_is_reviewed_by_somebody_else() {
    let mut library = Library::empty();
    let (author, reviewer, admin) = (engineer("author-a"), engineer("reviewer-b"), actor("admin-z", Role::Admin, None));
    let fan = body("", "fan fails | it stops", &[], &[]);
    let case = library.store.write(|tx| create(tx, &author, &fan)).unwrap();
    assert_eq!((case.number.to_string().as_str(), case.state, case.version), ("C-0001", CaseState::Wip, 1));
    let reference = Reference::Id(case.id);
    let mut step = |actor: &Actor, step: fn(&mut Tx<'_>, &Actor, &Reference) -> Result<Case, Error>| {
        library.store.write(|tx| step(tx, actor, &reference))
    };
    assert!(matches!(step(&reviewer, publish), Err(Error::Illegal { state: CaseState::Wip, .. })));
    assert_eq!(step(&author, submit).unwrap().state, CaseState::NotValidated);
    assert!(matches!(step(&author, submit), Err(Error::Illegal { .. })));
    assert!(matches!(step(&author, publish), Err(Error::OwnReview(_))));
    let case = step(&reviewer, publish).unwrap();
    assert_eq!((case.state, case.reviewer.as_ref()), (CaseState::Validated, Some(&reviewer.name)));

    let edited = body("风扇故障 | 停转", "fan fails | it stops", &[], &[]);
    let case = library.store.write(|tx| edit(tx, &reviewer, &reference, &edited)).unwrap();
    assert_eq!((case.state, case.version, case.reviewer), (CaseState::NotValidated, 2, None), "nothing unreviewed stays published");
    let mut step = |actor: &Actor, step: fn(&mut Tx<'_>, &Actor, &Reference) -> Result<Case, Error>| {
        library.store.write(|tx| step(tx, actor, &reference))
    };
    assert!(matches!(step(&reviewer, publish), Err(Error::OwnReview(_))), "the editor wrote this version");
    assert_eq!(step(&author, publish).unwrap().reviewer, Some(author.name.clone()), "the author reviews the correction");
    let case = library.store.write(|tx| edit(tx, &admin, &reference, &edited)).unwrap();
    assert_eq!(case.state, CaseState::NotValidated);
    let mut step = |actor: &Actor, step: fn(&mut Tx<'_>, &Actor, &Reference) -> Result<Case, Error>| {
        library.store.write(|tx| step(tx, actor, &reference))
    };
    assert_eq!(step(&admin, publish).unwrap().state, CaseState::Validated, "an administrator may do both");
    assert_eq!(step(&author, archive).unwrap().state, CaseState::Archived);
    assert!(matches!(step(&author, archive), Err(Error::Illegal { .. })));
    assert!(matches!(library.store.write(|tx| edit(tx, &author, &reference, &edited)), Err(Error::Illegal { .. })));
    let kinds = library.store.read(|db| events::after(db, &Scope::All, 0, 100)).unwrap();
    let kinds: Vec<_> = kinds.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "case.created",
            "case.submitted",
            "case.published",
            "case.edited",
            "case.published",
            "case.edited",
            "case.published",
            "case.archived"
        ]
    );
}

#[test]
fn bad_bodies_are_refused_with_what_would_be_right() {
    let mut library = Library::empty();
    let mut said = |body: &CaseBody| library.store.write(|tx| create(tx, &engineer("author-a"), body)).unwrap_err().to_string();
    assert_eq!(said(&CaseBody::default()), "a case needs a text in Chinese (`zh`), in English (`en`) or in both");
    let untitled = CaseBody { en: Some(CaseText::default()), ..CaseBody::default() };
    assert_eq!(said(&untitled), "the English (`en`) text needs a title");
    assert_eq!(said(&body(&"长".repeat(301), "", &[], &[])), "the title is longer than 300 characters");
    assert_eq!(said(&body("风扇", "", &[], &[""])), "a case names at most 50 codes, each of 1 to 100 characters");
    let bare = CaseBody { en: Some(CaseText { title: "fan".into(), ..CaseText::default() }), ..CaseBody::default() };
    let case = library.store.write(|tx| create(tx, &engineer("author-a"), &bare)).unwrap();
    let refused = library.store.write(|tx| submit(tx, &engineer("author-a"), &Reference::Id(case.id)));
    assert!(matches!(refused, Err(Error::NothingToReview)));
    // Nor is it published when it said something only until it was submitted.
    let number = library.store.write(|tx| create(tx, &engineer("author-a"), &body("", "fan | hums | bearing", &[], &[]))).unwrap().number;
    let reference = Reference::Number(number);
    library.store.write(|tx| submit(tx, &engineer("author-a"), &reference)).unwrap();
    library.store.write(|tx| edit(tx, &engineer("author-a"), &reference, &bare)).unwrap();
    let refused = library.store.write(|tx| publish(tx, &engineer("reviewer-b"), &reference));
    assert!(matches!(refused, Err(Error::NothingToReview)));
}

// ---- Who sees what --------------------------------------------------------------------------------------------------

#[test]
fn a_carrier_sees_only_what_is_published_for_customers() {
    let mut library = Library::new();
    let jw = Scope::Customer(library.customer("JW"));
    for question in ["", "fan", "ALM-25621", "C-0001", "25621", "磁盘", "扇"] {
        assert!(library.hits(&jw, question).is_empty(), "{question}: all cases are internal");
    }
    let public = CaseBody { audience: Audience::Customer, ..body("风扇停转 | 换风扇", "", &[], &["ALM-25621"]) };
    let number = library.add(&public);
    let draft = library.store.write(|tx| create(tx, &engineer("author-a"), &public)).unwrap().number;
    for question in ["", "fan", "ALM-25621", "扇", "C-0001 C-0009 C-0010"] {
        let seen: Vec<_> = library.hits(&jw, question).iter().map(|hit| hit.number).collect();
        assert_eq!(seen, [number], "{question}");
    }
    library.store.read(|db| {
        assert!(get(db, &jw, &Reference::Number(number)).is_ok());
        for hidden in [CaseNumber(1), draft, CaseNumber(99)] {
            assert!(matches!(get(db, &jw, &Reference::Number(hidden)), Err(Error::NotFound)), "{hidden}");
        }
        assert_eq!(list(db, &jw, &page(None, None)).unwrap().len(), 1);
        assert_eq!(list(db, &Scope::All, &page(None, None)).unwrap().len(), 10);
        assert_eq!(list(db, &Scope::All, &page(Some(CaseState::Wip), Some(number))).unwrap()[0].number, draft);
        assert_eq!(library.finder.suggest(db, &jw, "风扇停转", None, 5).unwrap().len(), 1);
    });
}

#[test]
fn the_fault_behind_a_case_shows_only_to_its_own_customer() {
    let mut library = Library::empty();
    let (jw, other) = (library.customer("JW"), library.customer("XX"));
    let fault = library.fan_fails();
    let fault = library.resolve(&fault);
    let case = library.store.write(|tx| draft_from(tx, &engineer("engineer-a"), &fault)).unwrap();
    assert_eq!(case.source_fault.map(|number| number.to_string()).as_deref(), Some("F-JW-1"));
    let public = CaseBody { audience: Audience::Customer, ..case.body };
    let reference = Reference::Id(case.id);
    library.store.write(|tx| edit(tx, &engineer("engineer-a"), &reference, &public)).unwrap();
    library.store.write(|tx| publish(tx, &engineer("reviewer-b"), &reference)).unwrap();
    let source = |customer| library.store.read(|db| get(db, &Scope::Customer(customer), &reference)).unwrap().source_fault;
    assert!(source(jw).is_some());
    assert_eq!(source(other), None);
}

// ---- From faults ----------------------------------------------------------------------------------------------------

#[test]
fn a_closed_fault_becomes_a_case_that_the_next_one_finds() {
    let mut library = Library::empty();
    let customer = library.customer("JW");
    let fault = library.fan_fails();
    let none = library.store.write(|tx| draft_from(tx, &engineer("engineer-a"), &FaultReference::Id(fault.id)));
    assert!(matches!(none, Err(Error::NothingLearned)));
    let reference = library.resolve(&fault);
    let closed = library.store.write(|tx| close_fault(tx, &engineer("engineer-a"), &reference, true)).unwrap();
    let case = library.store.read(|db| get(db, &Scope::All, &Reference::Number(closed.case.unwrap()))).unwrap();
    assert_eq!((case.state, case.author.as_str()), (CaseState::NotValidated, "engineer-a"));
    let (zh, en) = (case.body.zh.unwrap(), case.body.en.unwrap());
    assert_eq!((zh.title.raw(), en.title.raw()), ("风扇故障：fan-2（OLT C320）", "Fan failure: fan-2 (OLT C320)"));
    assert_eq!((zh.cause.raw(), en.cause.raw()), ("风扇轴承卡死", ""));
    assert_eq!(en.steps.raw(), "reset fan-2 on [equipment] ([ip])");
    assert_eq!(en.resolution.raw(), "fan reset by remote session, password=[secret]");
    let whole = serde_json::to_string(&(zh, en)).unwrap();
    for leaked in ["JW", "ne-1", "10.0.0.7", "abc", "SN2102312", "engineer-a"] {
        assert!(!whole.contains(leaked), "{leaked}");
    }

    let again = library.store.write(|tx| draft_from(tx, &engineer("engineer-a"), &reference));
    assert!(matches!(again, Err(Error::Drafted(number)) if number == case.number));
    library.store.write(|tx| publish(tx, &engineer("reviewer-b"), &Reference::Id(case.id))).unwrap();
    for question in ["风扇停转", "fan tray stopped", "fan.speed", "C320 风扇"] {
        assert_eq!(library.ask(question), [case.number.0], "{question}");
    }
    let told = library.store.read(|db| {
        let seen =
            |scope: &Scope| events::of_fault(db, scope, fault.id).unwrap().iter().filter(|event| event.kind.starts_with("case.")).count();
        (seen(&Scope::All), seen(&Scope::Customer(customer)))
    });
    assert_eq!(told, (1, 0), "a draft is no customer's business");
}
