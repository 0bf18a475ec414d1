//! Saved views: a list, a query and a name.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::id::ViewId;

words! {
    /// What a view is a view of.
    pub enum ViewList {
        Faults = "faults",
        Alarms = "alarms",
        Sessions = "sessions",
        Equipment = "equipment",
        Consents = "consents",
        Cases = "cases",
    }
}

words! {
    /// Views that everybody begins with. Who shows them says their names in the reader's own language.
    pub enum BuiltInView {
        /// The faults that are one's own.
        Mine = "mine",
        /// Less than ten minutes of some clock left.
        Due = "due",
        /// Waiting for the carrier's consent.
        Consent = "consent",
    }
}

/// A saved view, as `GET /api/v1/views` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SavedView {
    pub id: ViewId,
    pub name: Printable,
    /// It came with the person, and was not renamed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_in: Option<BuiltInView>,
    pub list: ViewList,
    /// In the grammar of `q`.
    pub query: Printable,
    /// `sort` of the list; its own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// Everybody at the support centre has it, not only its owner.
    pub shared: bool,
    /// Who saved it.
    pub owner: String,
    /// The caller may change and delete it.
    pub yours: bool,
    /// The smaller the higher up, one's own before shared ones.
    pub position: u32,
    /// How many fit now, for the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<ViewCount>,
    /// Why it can't be counted: its query says something that is not understood any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Printable>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ViewCount {
    pub count: u64,
    /// More than are counted: show it as `1000+`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub or_more: bool,
}

/// `POST /api/v1/views`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewView {
    /// 1 to 60 characters; nobody has two views of one list with one name.
    pub name: Printable,
    pub list: ViewList,
    #[serde(default)]
    pub query: Printable,
    #[serde(default)]
    pub sort: Option<String>,
    /// For everybody at the support centre: duty managers and admins only.
    #[serde(default)]
    pub shared: bool,
    /// At the end when absent.
    #[serde(default)]
    pub position: Option<u32>,
}

/// `PATCH /api/v1/views/{id}`: what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditView {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Printable>,
    /// An empty text takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}
