//! Keys in a page of the centre's: a class of their own, and only where the owner takes it.

use super::*;

const PAGE: &str = "consent-browser@lineman";

/// A device whose owner takes keys of pages or not, and whose carrier lists one for `noc-jw`.
fn world(browser_keys: bool, approvals: u8) -> (World, PrivateKey) {
    let (world, page) = (World::new(), key());
    std::fs::write(world.dir.path().join(SIGNERS), world.signers(1, &line("noc-jw", PAGE, &page))).unwrap();
    (World { policy: Policy { approvals, browser_keys, ..world.policy.clone() }, ..world }, page)
}

fn in_page(name: &str, key: &PrivateKey, request: &Request) -> Signed {
    consent_of(KeyClass::Page, name, key, request, |_| {})
}

#[test]
fn a_page_opens_nothing_where_the_owner_has_not_said_so() {
    let (world, page) = world(false, 1);
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let refused = why(consents.admit(&world.signed(&request), &[in_page("noc-jw", &page, &request)]));
    says(&refused, "noc-jw signed this in a page served by the vendor (`consent-browser@lineman`), and ne-1.jw.ne takes no such signature");
    says(&refused, "approve it with `lineman approver` on your own machine, or the owner of ne-1.jw.ne allows the class");
    assert!(!world.enters(&consents) && !consents.any_live());
    // The request is as good as it was.
    consents.admit(&world.signed(&request), &[consent_by("approver-jw", &world.approver, &request, |_| {})]).unwrap();
    assert!(world.enters(&consents));
}

#[test]
fn a_page_opens_what_it_signed_where_the_owner_says_so_and_is_named_as_one() {
    let (world, page) = world(true, 1);
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    consents.admit(&world.signed(&request), &[in_page("noc-jw", &page, &request)]).unwrap();
    assert!(world.enters(&consents));
    let live = consents.list().remove(0).0;
    assert_eq!((live.approvers.clone(), live.approved_in_page()), (vec!["noc-jw".parse().unwrap()], live.approvers));
    // A consent of an own key is not.
    let other = world.live(&consents, Grade::EndToEnd);
    let live = consents.list().into_iter().find(|(live, _)| live.id == other.id).unwrap().0;
    assert_eq!(live.approved_in_page(), []);
}

#[test]
fn a_key_counts_for_the_class_that_the_list_names_it_for_and_for_no_other() {
    for browser_keys in [false, true] {
        let (world, page) = world(browser_keys, 1);
        let consents = world.ready();
        let request = world.request(&consents, |_| {});
        let refused = |paper: Signed| why(consents.admit(&world.signed(&request), &[paper]));
        says(&refused(consent_by("noc-jw", &page, &request, |_| {})), "not listed for `noc-jw` and `consent@lineman`");
        says(&refused(in_page("approver-jw", &world.approver, &request)), "not listed for `approver-jw` and `consent-browser@lineman`");
        says(&refused(in_page("noc-jw", &key(), &request)), "not listed for `noc-jw`");
        // A signature of the one kind in the form of the other.
        let mut mixed = in_page("noc-jw", &page, &request);
        mixed.signature = consent_by("noc-jw", &page, &request, |c| c.duration_s -= 1).signature;
        says(&refused(mixed), "does not match its text");
        assert!(!consents.any_live());
    }
}

#[test]
fn a_page_signs_nothing_but_a_consent() {
    let (world, page) = world(true, 1);
    let world = World { policy: Policy { grades: vec![Grade::EndToEnd, Grade::Role], ..world.policy.clone() }, ..world };
    let consents = world.ready();
    let request = world.request_of(&consents, Grade::Role);
    let standing = standing_by("noc-jw", &page, ConsentId::new(), |_| {});
    let in_page = |text: &str| Signed::sign(&page, Namespace::ConsentBrowser, text.to_owned()).unwrap();
    let refused = |paper: Signed| why(consents.admit(&world.signed(&request), &[paper]));
    says(&refused(in_page(&standing.text)), "signed for `consent-browser@lineman`, not for `standing@lineman`");
    says(&refused(standing.clone()), "not listed for `noc-jw` and `standing@lineman`");
    // Nor does it end one: a consent by an own key is what it would have to be.
    let good = world.standing(|_| {});
    says(&why(consents.end_standing(&in_page(&good.text), EndReason::Revoked).map(|_| ())), "signed for `consent-browser@lineman`");
    // A signer list.
    let next = world.signers(2, &line("noc-jw", "consent@lineman,signers@lineman", &page));
    says(&why(consents.take_signers(&[in_page(&next)]).map(|_| ())), "signed for `consent-browser@lineman`, not for `signers@lineman`");
    let list = Signed::sign(&page, Namespace::Signers, next).unwrap();
    says(&why(consents.take_signers(&[list]).map(|_| ())), "not listed for `any` and `signers@lineman`");
    // Root is warned of a list that names only pages for consents: whether the owner takes pages is another file's word.
    says(&why(consents.set_signers(&world.signers_of(2, &line("noc-jw", PAGE, &page)))), "nobody in it may sign for `consent@lineman`");
}

#[test]
fn a_page_and_a_machine_are_two_people_only_when_two_people_hold_them() {
    let (world, page) = world(true, 2);
    let own = key();
    let lines = line("noc-jw", PAGE, &page) + &line("noc-jw", "consent@lineman", &own);
    std::fs::write(world.dir.path().join(SIGNERS), world.signers(1, &lines)).unwrap();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let signed = world.signed(&request);
    let first = in_page("noc-jw", &page, &request);
    says(&why(consents.admit(&signed, &[first.clone(), consent_by("noc-jw", &own, &request, |_| {})])), "1 of 2 approvals");
    consents.admit(&signed, &[first, consent_by("approver-jw", &world.approver, &request, |_| {})]).unwrap();
    let live = consents.list().remove(0).0;
    assert_eq!(live.approved_in_page(), ["noc-jw".parse().unwrap()]);
}

#[test]
fn one_paper_of_a_page_spoils_the_rest_where_it_is_not_taken() {
    let (world, page) = world(false, 1);
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let papers = [consent_by("approver-jw", &world.approver, &request, |_| {}), in_page("noc-jw", &page, &request)];
    says(&why(consents.admit(&world.signed(&request), &papers)), "in a page served by the vendor");
}

#[test]
fn what_a_page_opened_closes_when_the_owner_takes_pages_no_more() {
    let (world, page) = world(true, 1);
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    consents.admit(&world.signed(&request), &[in_page("noc-jw", &page, &request)]).unwrap();
    drop(consents);
    let stricter = World { policy: Policy { browser_keys: false, ..world.policy.clone() }, ..world };
    let consents = stricter.open();
    assert!(!stricter.enters(&consents), "at the door");
    assert_eq!(consents.unfounded(), [request.id], "and what is inside ends");
}
