//! Signatures in OpenSSH's form: the armour as it comes, or the bytes inside it. Whoever is named as the signer is of a kind that is taken,
//! and only whom a list names is let in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lineman_common::statement::{Namespace, Signed, SignerList, sig};
use lineman_fuzz::{armoured, line, now, unarmoured};
use ssh_key::public::KeyData;
use ssh_key::{LineEnding, SshSig};

const TEXT: &str = "lineman-consent: 1\n";

fuzz_target!(|data: &[u8]| {
    let signature = match std::str::from_utf8(data) {
        Ok(text) if text.starts_with('-') => text.to_owned(),
        _ => armoured(data),
    };
    if let Ok(read) = SshSig::from_pem(&signature) {
        if let Ok(armour) = read.to_pem(LineEnding::LF) {
            assert_eq!(SshSig::from_pem(&armour).expect("what was written reads"), read);
            assert_eq!(armoured(&unarmoured(&armour)), armour);
        }
    }
    let signed = Signed { text: TEXT.to_owned(), signature };
    for namespace in [Namespace::Consent, Namespace::ConsentBrowser, Namespace::Recording] {
        let Ok(signatory) = signed.signatory("text", namespace) else { continue };
        assert!(sig::accepted(&signatory.key).is_ok());
        assert!(!matches!(signatory.key.key_data(), KeyData::Certificate(_)));
        let other = Signed { text: "other\n".to_owned(), ..signed.clone() };
        assert!(other.signatory("text", namespace).is_err(), "good for one text");
        // Key 3 alone is in the list, and authority 8.
        let list = format!(
            "noc-jw namespaces=\"consent@lineman\" {}\nnoc-ca cert-authority,namespaces=\"consent@lineman\" {}\n",
            line(3),
            line(8)
        );
        let list = SignerList::parse("list", &list).expect("a list");
        let known = lineman_fuzz::key(3).public_key().key_data() == signatory.key.key_data();
        let taken = list.verify("text", &signed, "noc-jw", namespace, now()).is_ok();
        assert!(!taken || (known && signatory.certificate.is_none() && namespace == Namespace::Consent));
        let certified = list.verify("text", &signed, "noc-ca", namespace, now()).is_ok();
        assert!(!certified || signatory.certificate.is_some());
    }
});
