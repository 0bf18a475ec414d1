//! What a demo consists of: who, where, which equipment. All of it is plainly demo data, and the same on every start.

use lineman_common::api::{Calendar, DayTime, DutyRank, Office, OfficeKind, Shift, Tier, WeekHours};
use lineman_common::calendar::{CalendarKind, Weekday};
use lineman_common::people::Role;
use lineman_common::session::Grade;
use serde::Serialize;

use super::Error;

pub struct Customer {
    pub code: &'static str,
    pub name: &'static str,
    pub tier: &'static str,
    pub sites: [Site; 2],
}

impl Customer {
    /// Names the folder of the customer's keys, and ends its people's names.
    pub fn side(&self) -> String {
        self.code.to_ascii_lowercase()
    }

    /// Who vouches for the customer's devices.
    pub fn technician(&self) -> String {
        format!("tech-{}", self.side())
    }

    /// Who signs the customer's consents and standing statements.
    pub fn approver(&self) -> String {
        format!("approver-{}", self.side())
    }

    /// The security officer: the second signature where two are wanted, and the changes of the signer list.
    pub fn officer(&self) -> String {
        format!("officer-{}", self.side())
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Site {
    pub name: &'static str,
    /// IANA zone.
    pub zone: &'static str,
    pub latitude_deg: f64,
    pub longitude_deg: f64,
}

/// 甲 and 乙 are what A and B are in English.
pub const CUSTOMERS: [Customer; 2] = [
    Customer {
        code: "JW",
        name: "甲网 (demo carrier A)",
        tier: "platinum",
        sites: [
            Site { name: "甲网 上海演示机房 (demo)", zone: "Asia/Shanghai", latitude_deg: 31.23, longitude_deg: 121.47 },
            Site { name: "甲网 乌鲁木齐演示站 (demo)", zone: "Asia/Urumqi", latitude_deg: 43.83, longitude_deg: 87.62 },
        ],
    },
    Customer {
        code: "YW",
        name: "乙网 (demo carrier B)",
        tier: "silver",
        sites: [
            Site { name: "乙网 Nairobi demo room", zone: "Africa/Nairobi", latitude_deg: -1.29, longitude_deg: 36.82 },
            Site { name: "乙网 São Paulo demo site", zone: "America/Sao_Paulo", latitude_deg: -23.55, longitude_deg: -46.63 },
        ],
    },
];

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

pub fn tiers() -> [Tier; 4] {
    let tier = |name: &str, accept_s, respond_s, restore_s, resolve_s| Tier {
        name: name.to_owned(),
        accept_s: Some(accept_s),
        respond_s: Some(respond_s),
        restore_s,
        resolve_s,
        ..Tier::default()
    };
    let (h, d) = (|hours: u32| Some(hours * HOUR), |days: u32| Some(days * DAY));
    [
        tier("platinum", 5 * MINUTE, 10 * MINUTE, [h(2), h(4), h(24)], [d(3), d(7), d(14)]),
        tier("gold", 15 * MINUTE, 30 * MINUTE, [h(4), h(8), h(48)], [d(5), d(10), d(20)]),
        tier("silver", 30 * MINUTE, HOUR, [h(8), h(24), None], [d(10), d(20), None]),
        Tier { calendar: Some(OFFICE_HOURS.into()), ..tier("bronze", HOUR, 2 * HOUR, [h(24), None, None], [None, None, None]) },
    ]
}

/// The hours of the bronze tier: the clocks of the demo's own customers run around the clock.
pub fn calendar() -> Result<Calendar, Error> {
    let workdays = [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];
    let hours = ["09:00-12:00", "13:30-18:00"].map(|span| span.parse().map_err(Error::trust)).into_iter().collect::<Result<_, _>>()?;
    Ok(Calendar {
        name: OFFICE_HOURS.into(),
        kind: CalendarKind::Hours,
        week: vec![WeekHours { days: workdays.into(), hours }],
        holidays: Vec::new(),
        extra_days: Vec::new(),
    })
}

const OFFICE_HOURS: &str = "office-hours";

/// The support tree with its shifts: two engineers on the hotline who take turns, the experts, the duty manager above them.
pub fn offices() -> Result<Vec<(Office, Vec<Shift>)>, Error> {
    let name = |text: &str| text.parse().map_err(Error::trust);
    let person = |text: &str| text.parse().map_err(Error::trust);
    let office = |of: &str, title: &str, kind, parent: Option<&str>, regions: &[&str], members: &[&str]| -> Result<Office, Error> {
        Ok(Office {
            name: name(of)?,
            title: title.into(),
            kind,
            parent: parent.map(name).transpose()?,
            zone: "Asia/Shanghai".into(),
            customers: Vec::new(),
            sites: Vec::new(),
            regions: regions.iter().map(|region| (*region).to_owned()).collect(),
            products: Vec::new(),
            members: members.iter().map(|member| person(member)).collect::<Result<_, _>>()?,
            staffed: Vec::new(),
            escalation: None,
        })
    };
    let midnight: DayTime = "00:00".parse().map_err(Error::trust)?;
    let all_day = |rank, people: &[&str]| -> Result<Shift, Error> {
        Ok(Shift {
            name: rank_name(rank).parse().map_err(Error::trust)?,
            rank,
            days: Vec::new(),
            from: midnight,
            to: midnight,
            turns: people.iter().map(|one| Ok(vec![person(one)?])).collect::<Result<_, Error>>()?,
            turn_days: 7,
            start: jiff::civil::date(2026, 1, 5),
            end: None,
        })
    };
    let (primary, secondary) = (DutyRank::Primary, DutyRank::Secondary);
    Ok(vec![
        (
            office("hq", "总部值班室 / headquarters (demo)", OfficeKind::Hq, None, &[], &["manager-d"])?,
            vec![all_day(primary, &["manager-d"])?],
        ),
        (
            office("experts", "专家中心 / product experts (demo)", OfficeKind::Subcentre, Some("hq"), &[], &["engineer-b"])?,
            vec![all_day(primary, &["engineer-b"])?],
        ),
        (
            office(
                "hotline",
                "区域热线 / regional hotline (demo)",
                OfficeKind::Local,
                Some("experts"),
                &["Asia", "Africa", "America"],
                &["engineer-a", "engineer-b"],
            )?,
            vec![all_day(primary, &["engineer-a", "engineer-b"])?, all_day(secondary, &["engineer-b", "engineer-a"])?],
        ),
    ])
}

const fn rank_name(rank: DutyRank) -> &'static str {
    match rank {
        DutyRank::Primary => "first-call",
        DutyRank::Secondary => "second-call",
    }
}

pub struct Person {
    pub name: &'static str,
    pub role: Role,
    pub customer: Option<&'static str>,
    /// Engineers: their level in the roster.
    pub level: Option<u8>,
}

impl Person {
    /// The folder under `keys/` that holds what this person signs with and believes.
    pub fn side(&self) -> String {
        self.customer.unwrap_or("vendor").to_ascii_lowercase()
    }

    /// Engineers and approvers sign; their key has their name.
    pub const fn signs(&self) -> bool {
        self.level.is_some() || matches!(self.role, Role::Approver)
    }

    /// The name of the context in the client's configuration.
    pub fn context(&self) -> String {
        format!("{CONTEXT_PREFIX}{}", self.name)
    }
}

pub const CONTEXT_PREFIX: &str = "demo-";

/// The first admin is made by `lineman-server init`.
pub const ADMIN: &str = "admin-z";
/// Writes the cases, and the other one reviews and publishes them.
pub const AUTHOR: &str = "engineer-b";
pub const REVIEWER: &str = "engineer-a";
/// Whose context becomes the current one if there is none: the story starts with the engineer.
pub const FIRST: &str = "engineer-a";

const fn person(name: &'static str, role: Role, customer: Option<&'static str>, level: Option<u8>) -> Person {
    Person { name, role, customer, level }
}

pub const PEOPLE: [Person; 10] = [
    person("engineer-a", Role::Engineer, None, Some(2)),
    person("engineer-b", Role::Engineer, None, Some(1)),
    person("manager-d", Role::DutyManager, None, None),
    person(ADMIN, Role::Admin, None, None),
    person("noc-jw", Role::Noc, Some("JW"), None),
    person("approver-jw", Role::Approver, Some("JW"), None),
    person("officer-jw", Role::Approver, Some("JW"), None),
    person("noc-yw", Role::Noc, Some("YW"), None),
    person("approver-yw", Role::Approver, Some("YW"), None),
    person("officer-yw", Role::Approver, Some("YW"), None),
];

/// One network element of the demo.
#[derive(Clone, Debug)]
pub struct Equipment {
    /// `ne-1`, ...: unique over all customers, so that it is easy to type.
    pub handle: String,
    pub customer: &'static str,
    /// The same site for every second element of a customer.
    pub site: Site,
    pub product: &'static str,
    pub model: &'static str,
    pub serial: String,
    pub software: &'static str,
    /// What sits in slots 1 to 4.
    pub cards: [&'static str; 4],
    pub takes: Takes,
}

/// What an owner's policy takes: the normal case alone, and on each customer's last element every grade, and keys in pages.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Takes {
    pub grades: &'static [Grade],
    pub browser_keys: bool,
}

impl Takes {
    pub const NORMAL: Self = Self { grades: &[Grade::EndToEnd], browser_keys: false };
    pub const ALL: Self = Self { grades: Grade::ALL, browser_keys: true };
}

/// Products that don't exist, made to be recognised as such.
const MODELS: [(&str, &str, &str, [&str; 4]); 3] = [
    ("Demo OLT", "D-OLT 8", "D2.1.3", ["D-MAIN", "D-PON8", "D-PON8", "D-UP4"]),
    ("Demo Router", "D-RTR 40", "D1.4.2", ["D-MAIN", "D-10G8", "D-10G8", "D-100G2"]),
    ("Demo OTN", "D-OTN 3", "D3.0.1", ["D-MAIN", "D-OTU4", "D-OTU4", "D-AMP"]),
];

/// `count` elements; the first half is the first customer's.
pub fn equipment(count: u16) -> Vec<Equipment> {
    let half = count.div_ceil(2);
    let element = |index: u16| {
        let (customer, nth) = if index < half { (&CUSTOMERS[0], index) } else { (&CUSTOMERS[1], index - half) };
        let (product, model, software, cards) = MODELS[usize::from(nth) % MODELS.len()];
        Equipment {
            handle: format!("ne-{}", index + 1),
            customer: customer.code,
            site: customer.sites[usize::from(nth) % customer.sites.len()],
            product,
            model,
            serial: format!("DEMO-{:04}", index + 1),
            software,
            cards,
            takes: if index + 1 == half || index + 1 == count { Takes::ALL } else { Takes::NORMAL },
        }
    };
    (0..count).map(element).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn six_elements_are_three_of_each_customer() {
        let all = equipment(6);
        let of = |code: &str| all.iter().filter(|e| e.customer == code).map(|e| e.handle.as_str()).collect::<Vec<_>>();
        assert_eq!(of("JW"), ["ne-1", "ne-2", "ne-3"]);
        assert_eq!(of("YW"), ["ne-4", "ne-5", "ne-6"]);
        assert_eq!(equipment(1)[0].customer, "JW");
    }

    #[test]
    fn names_are_good_and_zones_are_real() {
        let database = jiff::tz::db();
        for customer in &CUSTOMERS {
            customer.code.parse::<lineman_common::name::CustomerCode>().unwrap();
            assert!(tiers().iter().any(|tier| tier.name == customer.tier));
            for site in &customer.sites {
                database.get(site.zone).unwrap();
            }
        }
        for person in &PEOPLE {
            person.name.parse::<lineman_common::name::PersonName>().unwrap();
            assert_eq!(person.role.is_carrier(), person.customer.is_some(), "{}", person.name);
        }
        let names: BTreeSet<_> = PEOPLE.iter().map(|person| person.name).collect();
        assert_eq!(names.len(), PEOPLE.len());
        for customer in &CUSTOMERS {
            assert!(names.contains(customer.approver().as_str()) && names.contains(customer.officer().as_str()));
        }
        assert!([ADMIN, AUTHOR, REVIEWER, FIRST].iter().all(|name| names.contains(name)));
    }
}
