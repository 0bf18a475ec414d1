//! The copies of lists in a bundle: to compare with one's own, never to believe, unless somebody insists.

use lineman_common::statement::SignerList;

use super::check::Roots;
use super::files::Files;
use super::{SCRIPT, SCRIPT_FILE, SIGNERS, VENDOR_ROOT};
use crate::exit::{Exit, Failure};

/// Takes the copies for the real ones.
pub fn roots(files: &Files) -> Result<Roots, Failure> {
    if !files.has(VENDOR_ROOT) {
        return Err(Failure::new(Exit::NotFound, "the bundle holds no copy of the vendor root").hint("name yours with --vendor-root"));
    }
    let vendor_root = SignerList::parse("vendor root", &files.paper(VENDOR_ROOT)?)?;
    let signers = files.has(SIGNERS).then(|| files.paper(SIGNERS)).transpose()?;
    Ok(Roots { vendor_root, signers })
}

/// What differs from what the verifier holds. None of it changes the result.
pub fn compare(files: &Files, roots: &Roots) -> Vec<String> {
    let mut notes = Vec::new();
    let differs = |name: &str, sha256: &str| files.paper(name).is_ok_and(|text| lineman_common::statement::sha256_hex(&text) != sha256);
    if differs(VENDOR_ROOT, &roots.vendor_root.sha256) {
        notes.push("the bundle's copy of the vendor root is not your vendor root; yours counted".to_owned());
    }
    if roots.signers.as_ref().is_some_and(|own| files.paper(SIGNERS).is_ok_and(|copy| copy != *own)) {
        notes.push("the bundle's copy of the signers is another list than yours; yours counted".to_owned());
    }
    if files.paper(SCRIPT_FILE).is_ok_and(|script| script != SCRIPT) {
        notes.push(format!("the {SCRIPT_FILE} in the bundle is not the one of this program: don't run it, take `session verify --script`"));
    }
    notes
}
