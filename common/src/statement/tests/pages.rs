//! Two classes of keys for consents, each a purpose of its own, here and with stock OpenSSH.

use super::papers::request;
use super::*;
use crate::statement::{CarrierSigners, Consent, KeyClass, Request, sha256_hex};

fn consent(request: &Request) -> Consent {
    Consent {
        id: request.id,
        request_sha256: sha256_hex(request.write().unwrap()),
        approver: "noc-jw".parse().unwrap(),
        doors: request.doors.clone(),
        duration_s: 60,
        roster: 7,
        issued: at(NOW),
    }
}

fn list(key: &str, class: KeyClass) -> String {
    let head = "# lineman-list: signers JW\n# counter: 1\n# issued: 2026-11-20T00:00:00Z\n# expiry: 2027-11-20T00:00:00Z\n";
    format!("{head}noc-jw namespaces=\"{}\" {key}\n", class.namespace())
}

/// What this program says, and, held to it, what stock OpenSSH says for the purpose of the class that the signature claims.
fn verify(list: &str, signed: &Signed, request: &Request) -> Result<KeyClass, String> {
    let signers = CarrierSigners::parse(list, &"JW".parse().unwrap()).unwrap();
    let ours = Consent::verify(signed, request, &request.write().unwrap(), &signers, at(NOW));
    let purpose = KeyClass::claimed(signed).unwrap().namespace();
    let stock = Desk::new().stock(list, signed, "noc-jw", purpose, at(NOW));
    assert_eq!(stock, ours.is_ok(), "OpenSSH and we differ: {ours:?}");
    ours.map(|(_, class)| class).map_err(|refused| refused.to_string())
}

#[test]
fn each_class_counts_where_the_list_names_it_and_nowhere_else() {
    let (request, key) = (request(), key());
    let text = consent(&request).write().unwrap();
    for class in KeyClass::ALL {
        let signed = Signed::sign(&key, class.namespace(), text.clone()).unwrap();
        for listed in KeyClass::ALL {
            let found = verify(&list(&line(&key), *listed), &signed, &request);
            if class == listed {
                assert_eq!(found, Ok(*class));
            } else {
                assert!(found.unwrap_err().contains(&format!("not listed for `noc-jw` and `{}`", class.namespace())));
            }
        }
        // One line may name both; the class is the signature's all the same.
        let both = list(&line(&key), KeyClass::Own).replace("consent@lineman", "consent@lineman,consent-browser@lineman");
        assert_eq!(verify(&both, &signed, &request), Ok(*class));
    }
}

#[test]
fn a_signature_of_one_class_is_not_turned_into_one_of_the_other() {
    let (request, key) = (request(), key());
    let text = consent(&request).write().unwrap();
    let both = list(&line(&key), KeyClass::Own).replace("consent@lineman", "consent@lineman,consent-browser@lineman");
    for (from, to) in [(Namespace::ConsentBrowser, "consent@lineman"), (Namespace::Consent, "consent-browser@lineman")] {
        let signed = Signed::sign(&key, from, text.clone()).unwrap();
        let read = ssh_key::SshSig::from_pem(&signed.signature).unwrap();
        let renamed = ssh_key::SshSig::new(read.public_key().clone(), to, read.hash_alg(), read.signature().clone()).unwrap();
        let renamed = Signed { signature: renamed.to_pem(ssh_key::LineEnding::LF).unwrap(), ..signed };
        assert!(verify(&both, &renamed, &request).unwrap_err().contains("does not match its text"));
    }
}

#[test]
fn a_signature_for_anything_else_is_of_no_class() {
    let (request, key) = (request(), key());
    let text = consent(&request).write().unwrap();
    for namespace in Namespace::ALL.iter().filter(|namespace| KeyClass::ALL.iter().all(|class| class.namespace() != **namespace)) {
        let signed = Signed::sign(&key, *namespace, text.clone()).unwrap();
        let refused = Consent::signatory(&signed).unwrap_err().to_string();
        assert_eq!(refused, format!("the consent is signed for `{namespace}`, not for `consent@lineman`"));
    }
    let torn = Signed { text, signature: "-----BEGIN SSH SIGNATURE-----\n".into() };
    assert!(KeyClass::claimed(&torn).unwrap_err().to_string().contains("can't be read"));
}

#[test]
fn what_stock_openssh_signs_for_a_page_reads_as_a_page() {
    let (request, desk) = (request(), Desk::new());
    desk.generate("page", &["ed25519"]);
    let signed = desk.sign("page", Namespace::ConsentBrowser, &consent(&request).write().unwrap());
    assert_eq!(verify(&list(&desk.public("page"), KeyClass::Page), &signed, &request), Ok(KeyClass::Page));
    assert_eq!(KeyClass::Page.remarked("exec for 60 s"), "exec for 60 s (approved in a page served by the vendor)");
    assert_eq!(KeyClass::Own.remarked("exec for 60 s"), "exec for 60 s");
}
