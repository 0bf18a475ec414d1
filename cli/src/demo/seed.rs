//! Fills a new centre through its API, as an administrator and two engineers would.

use std::collections::BTreeMap;
use std::path::Path;

use lineman_common::api::{NewApiToken, NewCustomer, NewEquipment, NewPassword, NewPerson, NewSignInLink, NewSite};
use lineman_common::id::SiteId;
use lineman_common::name::{CustomerCode, NeName};

use ssh_key::getrandom::SysRng;
use ssh_key::rand_core::TryRng;

use super::Error;
use super::cases::cases;
use super::keys::{Keys, read_public_key};
use super::plan::{self, ADMIN, CUSTOMERS, PEOPLE};
use crate::client::{Client, Connect};

/// How long a demo's tokens are good for. Nothing renews them.
const TOKEN_DAYS: u32 = 30;

/// Where the centre is, and how it is recognised.
#[derive(Clone, Debug)]
pub struct Centre {
    pub server: String,
    pub ca_pem: Vec<u8>,
}

impl Centre {
    pub fn client(&self, token: &str) -> Result<Client, Error> {
        let connect = Connect { server: self.server.clone(), ca_pem: self.ca_pem.clone(), token: Some(token.to_owned()) };
        Client::new(&connect).map_err(Error::seed("a connection"))
    }
}

/// How somebody of the demo gets in.
#[derive(Debug, Default)]
pub struct Access {
    /// For the API.
    pub token: String,
    /// For the sign-in page.
    pub password: String,
    /// The way there without it.
    pub sign_in: String,
}

/// Names of people, and how they get in.
pub type People = BTreeMap<&'static str, Access>;

/// Everything but equipment and cases.
pub async fn organisation(admin: &Client, admin_token: &str) -> Result<(People, Sites), Error> {
    let calendar = plan::calendar()?;
    admin.put_calendar(&calendar).await.map_err(Error::seed(format!("calendar {}", calendar.name)))?;
    for tier in plan::tiers() {
        admin.put_tier(&tier).await.map_err(Error::seed(format!("tier {}", tier.name)))?;
    }
    let mut sites = Sites::new();
    for customer in &CUSTOMERS {
        let code = code(customer.code)?;
        let new = NewCustomer { code: code.clone(), name: customer.name.into(), tier: customer.tier.into() };
        admin.new_customer(&new).await.map_err(Error::seed(format!("customer {code}")))?;
        for site in &customer.sites {
            let new = NewSite {
                customer: code.clone(),
                name: site.name.into(),
                zone: site.zone.into(),
                latitude_deg: Some(site.latitude_deg),
                longitude_deg: Some(site.longitude_deg),
                access_notes: "Demo site: there is no door to open / 演示站点，无需进站".into(),
            };
            let made = admin.new_site(&new).await.map_err(Error::seed(format!("site {}", site.name)))?;
            sites.insert(site.name, made.id);
        }
    }
    let people = people(admin, admin_token).await?;
    offices(admin).await?;
    Ok((people, sites))
}

/// The support tree, and who is on duty in it around the clock.
async fn offices(admin: &Client) -> Result<(), Error> {
    for (office, shifts) in plan::offices()? {
        admin.new_office(&office).await.map_err(Error::seed(format!("office {}", office.name)))?;
        for shift in shifts {
            admin.put_shift(office.name.as_str(), &shift).await.map_err(Error::seed(format!("shift {} of {}", shift.name, office.name)))?;
        }
    }
    Ok(())
}

/// Sites by their names in the plan.
pub type Sites = BTreeMap<&'static str, SiteId>;

async fn people(admin: &Client, admin_token: &str) -> Result<People, Error> {
    let mut people = People::new();
    for person in &PEOPLE {
        let password = password()?;
        let token = if person.name == ADMIN {
            // `init` made the first one, with a token alone: so there is no old password to name.
            let new = NewPassword { old: None, new: password.clone() };
            admin.put_password(ADMIN, &new).await.map_err(Error::seed("the admin's password"))?;
            admin_token.to_owned()
        } else {
            let new = NewPerson {
                name: person.name.parse().map_err(Error::trust)?,
                role: person.role,
                customer: person.customer.map(code).transpose()?,
                password: Some(password.clone()),
            };
            admin.new_person(&new).await.map_err(Error::seed(person.name))?;
            let label = NewApiToken { label: "demo".into(), days: TOKEN_DAYS };
            admin.new_token(person.name, &label).await.map_err(Error::seed(format!("a token for {}", person.name)))?.token
        };
        let new = NewSignInLink { minutes: Some(TOKEN_DAYS * 24 * 60), reusable: true };
        let link = admin.sign_in_link(person.name, &new).await.map_err(Error::seed(format!("a link for {}", person.name)))?;
        people.insert(person.name, Access { token, password, sign_in: link.url });
    }
    Ok(people)
}

/// Another one on each start: a demo may listen where others reach it. 16 letters of 16, in fours, so that it can be typed.
fn password() -> Result<String, Error> {
    let mut bytes = [0; 8];
    SysRng.try_fill_bytes(&mut bytes).map_err(Error::trust)?;
    let letter = |nibble: u8| char::from(b"bcdfghjkmnpqrstv"[usize::from(nibble & 15)]);
    let letters: Vec<char> = bytes.iter().flat_map(|byte| [letter(byte >> 4), letter(*byte)]).collect();
    Ok(letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-"))
}

/// The roster with the gateway's keys, and who may vouch for each customer's devices. `server` is the server's folder.
pub async fn trust(admin: &Client, keys: &Keys, server: &Path) -> Result<(), Error> {
    let gateway = [read_public_key(&server.join("gateway_key.pub"))?, read_public_key(&server.join("gateway_client_key.pub"))?];
    admin.put_roster(&keys.roster(&gateway)?).await.map_err(Error::seed("the roster"))?;
    for customer in &CUSTOMERS {
        let anchors = keys.anchors(customer)?;
        admin.put_anchors(customer.code, &anchors).await.map_err(Error::seed(format!("anchors {}", customer.code)))?;
    }
    Ok(())
}

/// Enters one piece of equipment, and gets the token with which its agent enrols.
pub async fn equipment(admin: &Client, sites: &Sites, plan: &plan::Equipment) -> Result<(NeName, String), Error> {
    let site = *sites.get(plan.site.name).ok_or_else(|| Error::Data(format!("no site {}", plan.site.name)))?;
    let new = NewEquipment {
        customer: code(plan.customer)?,
        handle: plan.handle.parse().map_err(Error::trust)?,
        site,
        product: plan.product.into(),
        model: plan.model.into(),
        serial: plan.serial.clone().into(),
        software: plan.software.into(),
        parent: None,
    };
    let made = admin.new_equipment(&new).await.map_err(Error::seed(plan.handle.clone()))?;
    let name = made.name.to_string();
    let reply = admin.enrolment_token(&name).await.map_err(Error::seed(format!("an enrolment token for {name}")))?;
    Ok((made.name, reply.token))
}

/// One engineer writes the cases, another one publishes them.
pub async fn library(author: &Client, reviewer: &Client) -> Result<usize, Error> {
    let cases = cases()?;
    for body in &cases {
        let title = || body.en.iter().chain(&body.zh).map(|text| text.title.to_string()).next().unwrap_or_default();
        let step = |doing: &str| Error::seed(format!("{doing} the case \"{}\"", title()));
        let number = author.new_case(body).await.map_err(step("entering"))?.number.to_string();
        author.submit_case(&number).await.map_err(step("submitting"))?;
        reviewer.publish_case(&number).await.map_err(step("publishing"))?;
    }
    Ok(cases.len())
}

fn code(text: &str) -> Result<CustomerCode, Error> {
    text.parse().map_err(Error::trust)
}
