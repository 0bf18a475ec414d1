//! Which office a fault belongs to by what it is about: the routing list first, then what offices say that they cover, then the hq.

use lineman_common::alarm::Severity;
use lineman_common::api::{Bilingual, Office, OfficeKind, OfficeName, RoutingRule};
use lineman_common::id::SiteId;
use lineman_common::name::CustomerCode;

/// What a fault is about, as far as it is known.
#[derive(Clone, Debug)]
pub struct Subject {
    pub customer: CustomerCode,
    pub site: Option<SiteId>,
    /// The site's time zone.
    pub zone: Option<String>,
    pub product: Option<String>,
    pub severity: Severity,
}

/// The first place where a fault goes, what its person must know, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub office: OfficeName,
    pub skills: Vec<String>,
    pub level: u8,
    pub why: Bilingual,
}

/// How exactly a place fits: less is closer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Site,
    Customer,
    Region,
    Anywhere,
}

/// Places as rules and offices name them.
struct Places<'a> {
    customers: &'a [CustomerCode],
    sites: &'a [SiteId],
    regions: &'a [String],
}

impl Places<'_> {
    fn fit(&self, subject: &Subject) -> Option<Fit> {
        if self.customers.is_empty() && self.sites.is_empty() && self.regions.is_empty() {
            return Some(Fit::Anywhere);
        }
        let in_region = |region: &String| {
            let rest = subject.zone.as_deref().and_then(|zone| zone.strip_prefix(region.as_str()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if subject.site.is_some_and(|site| self.sites.contains(&site)) {
            Some(Fit::Site)
        } else if self.customers.contains(&subject.customer) {
            Some(Fit::Customer)
        } else {
            self.regions.iter().any(in_region).then_some(Fit::Region)
        }
    }
}

fn has_product(products: &[String], subject: &Subject) -> bool {
    products.is_empty() || subject.product.as_ref().is_some_and(|product| products.iter().any(|one| one.eq_ignore_ascii_case(product)))
}

/// Where the subject goes; none when there are no offices at all.
pub fn target(offices: &[Office], rules: &[RoutingRule], subject: &Subject) -> Option<Target> {
    by_rule(rules, subject).or_else(|| by_coverage(offices, subject)).or_else(|| to_hq(offices))
}

fn by_rule(rules: &[RoutingRule], subject: &Subject) -> Option<Target> {
    let fits = |rule: &&RoutingRule| {
        let places = Places { customers: &rule.customers, sites: &rule.sites, regions: &rule.regions };
        places.fit(subject).is_some() && has_product(&rule.products, subject) && rule.severity.is_none_or(|least| subject.severity >= least)
    };
    let (place, rule) = (1..).zip(rules).find(|(_, rule)| fits(rule))?;
    Some(Target {
        office: rule.office.clone(),
        skills: rule.skills.clone(),
        level: rule.level.unwrap_or(1),
        why: Bilingual::new(
            format!("规则 {place}（{}）转到 {}", rule.name, rule.office),
            format!("rule {place} ({}) sends it to {}", rule.name, rule.office),
        ),
    })
}

/// The lowest office whose place fits most exactly; one that takes every product comes after one that names this.
fn by_coverage(offices: &[Office], subject: &Subject) -> Option<Target> {
    let fit = |office: &Office| {
        let places = Places { customers: &office.customers, sites: &office.sites, regions: &office.regions };
        let fit = places.fit(subject).filter(|_| has_product(&office.products, subject))?;
        (fit != Fit::Anywhere || !office.products.is_empty()).then_some(fit)
    };
    let fitting = offices.iter().filter_map(|office| Some((fit(office)?, office)));
    let (fit, office) = fitting.min_by_key(|(fit, office)| (office.kind, *fit, office.products.is_empty(), office.name.clone()))?;
    let mut covers = Vec::new();
    match fit {
        Fit::Site => covers.push(Bilingual::new("该站点", "its site")),
        Fit::Customer => covers.push(Bilingual::same(subject.customer.to_string())),
        Fit::Region => {
            let zone = subject.zone.as_deref().unwrap_or_default();
            covers.push(Bilingual::new(format!("{zone} 所在区域"), format!("the region of {zone}")));
        }
        Fit::Anywhere => {}
    }
    if let Some(product) = subject.product.as_ref().filter(|_| !office.products.is_empty()) {
        let product = lineman_common::printable::escape(product);
        covers.push(Bilingual::new(format!("产品线 {product}"), format!("the product line {product}")));
    }
    let of = |text: fn(&Bilingual) -> &String, and: &str| covers.iter().map(|part| text(part).as_str()).collect::<Vec<_>>().join(and);
    let kind = match office.kind {
        OfficeKind::Local => "本地办",
        OfficeKind::Subcentre => "分中心",
        OfficeKind::Hq => "总部",
    };
    let why = Bilingual::new(
        format!("{}（{kind}）负责{}", office.name, of(|part| &part.zh, "和")),
        format!("{} ({}) covers {}", office.name, office.kind, of(|part| &part.en, " and ")),
    );
    Some(Target { office: office.name.clone(), skills: Vec::new(), level: 1, why })
}

fn to_hq(offices: &[Office]) -> Option<Target> {
    let hq = offices.iter().find(|office| office.kind == OfficeKind::Hq)?;
    let why = Bilingual::new(
        format!("没有规则或部门负责，由总部 {} 受理", hq.name),
        format!("no rule and no office covers it: the hq {} takes it", hq.name),
    );
    Some(Target { office: hq.name.clone(), skills: Vec::new(), level: 1, why })
}
