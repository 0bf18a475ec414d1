//! Where a fault goes: the first office by what it is about, then up the tree until somebody suited is on duty.

use jiff::Timestamp;
use lineman_common::api::{Bilingual, DutyRank, Office, OfficeName, Route};
use lineman_common::id::FaultId;
use lineman_common::name::PersonName;

use super::{Error, sql};
use crate::offices::{self, Subject, Target};
use crate::people;
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// Where it would go at this moment; none when there are no offices.
pub fn route(db: &Db<'_>, subject: &Subject, fault: Option<FaultId>, at: Timestamp) -> Result<Option<Route>, Error> {
    match offices::target(db, subject)? {
        Some(target) => Ok(Some(settle(db, target, subject, fault, at)?)),
        None => Ok(None),
    }
}

/// From an office up, until somebody who is suited is on duty. At the top the wishes give way to whoever is there.
pub fn settle(db: &Db<'_>, target: Target, subject: &Subject, fault: Option<FaultId>, at: Timestamp) -> Result<Route, Error> {
    let Target { office, skills, level, why } = target;
    let mut why = vec![why];
    let offices = offices::list(db, &Scope::All)?;
    let find = |name: &OfficeName| offices.iter().find(|one| one.name == *name);
    let mut place = find(&office).ok_or(Error::NoOffice(office))?;
    let wish = Wish { skills: &skills, level, product: subject.product.as_deref(), fault };
    let person = loop {
        let duty = candidates(db, place, &wish, at)?;
        let parent = place.parent.as_ref().and_then(find);
        let suited = duty.iter().filter(|one| one.is_suited).min_by_key(|one| one.order());
        match (suited, parent) {
            (Some(one), _) => {
                why.push(one.words(place));
                break Some(one.name.clone());
            }
            (None, Some(parent)) => {
                let Bilingual { zh, en } = wish.missing(place, duty.is_empty());
                why.push(Bilingual::new(format!("{zh}，上转 {}", parent.name), format!("{en}, so it goes up to {}", parent.name)));
                place = parent;
            }
            (None, None) => {
                why.push(wish.missing(place, duty.is_empty()));
                let anybody = duty.iter().min_by_key(|one| one.order());
                why.extend(anybody.map(|one| one.words(place)));
                break anybody.map(|one| one.name.clone());
            }
        }
    };
    Ok(Route { office: place.name.clone(), person, skills, level, why })
}

/// What the person should have.
struct Wish<'a> {
    skills: &'a [String],
    level: u8,
    product: Option<&'a str>,
    fault: Option<FaultId>,
}

impl Wish<'_> {
    fn missing(&self, office: &Office, nobody: bool) -> Bilingual {
        let at = &office.name;
        if nobody {
            return Bilingual::new(format!("{at} 无人值班"), format!("nobody is on duty at {at}"));
        }
        let skills = || self.skills.iter().map(|skill| lineman_common::printable::escape(skill));
        let wants = |level: &str| {
            let level = (self.level > 1).then(|| format!("{level} {}", self.level));
            level.into_iter().chain(skills()).collect::<Vec<_>>()
        };
        Bilingual::new(
            format!("{at} 值班人员不具备 {}", wants("级别").join("、")),
            format!("nobody on duty at {at} has {}", wants("level").join(" and ")),
        )
    }
}

/// Somebody who is on duty, and how well they fit.
struct Candidate {
    name: PersonName,
    rank: DutyRank,
    level: u8,
    is_suited: bool,
    knows_product: bool,
    load: u32,
}

impl Candidate {
    /// Who comes first: one who knows the product line, a primary, the least loaded.
    fn order(&self) -> (bool, DutyRank, u32, PersonName) {
        (!self.knows_product, self.rank, self.load, self.name.clone())
    }

    fn words(&self, office: &Office) -> Bilingual {
        let Self { name, rank, level, load, .. } = self;
        let (knows_zh, knows) = if self.knows_product { ("，熟悉该产品线", ", knows the product line") } else { ("", "") };
        let rank_zh = match rank {
            DutyRank::Primary => "主班",
            DutyRank::Secondary => "副班",
        };
        let faults = if *load == 1 { "fault" } else { "faults" };
        Bilingual::new(
            format!("{name} 正在值班（{} {rank_zh}，级别 {level}{knows_zh}，手上故障 {load}）", office.name),
            format!("{name} is on duty there ({rank} at {}, level {level}{knows}, {load} open {faults})", office.name),
        )
    }
}

fn candidates(db: &Db<'_>, office: &Office, wish: &Wish<'_>, at: Timestamp) -> Result<Vec<Candidate>, StoreError> {
    let mut found = Vec::new();
    for on_duty in offices::on_duty(db, &office.name, at)? {
        let Some(person) = people::worker(db, &on_duty.person)? else { continue };
        let level = person.level.unwrap_or(1);
        found.push(Candidate {
            rank: on_duty.rank,
            is_suited: level >= wish.level && wish.skills.iter().all(|skill| person.skills.contains(skill)),
            knows_product: wish.product.is_some_and(|product| person.skills.contains(&product.trim().to_lowercase())),
            load: sql::load(db, &person.name, wish.fault)?,
            level,
            name: person.name,
        });
    }
    Ok(found)
}
