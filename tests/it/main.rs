//! The end-to-end tests: one binary, a module per feature.
//!
//! They share one demo (server, eight agents, people, keys), each test on an element of its own; tests that kill processes bring
//! up their own. Run them with `make test`, or `cargo build --workspace && cargo test -p lineman-tests`.

#![expect(clippy::expect_used, reason = "tests fail loudly, where they stand")]

mod bad_input;
mod crash;
mod doors;
mod ends;
mod forged;
mod live;
mod processes;
mod rooms;
mod statements;
mod story;
mod tenants;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use lineman_tests::Demo;

/// A test on the shared demo.
type OnDemo = fn(&Demo);

const ON_DEMO: &[(&str, OnDemo)] = &[
    ("story::from_a_broken_fan_to_a_case_that_is_found", story::from_a_broken_fan_to_a_case_that_is_found),
    ("doors::every_stock_client_gets_in_as_consented", doors::every_stock_client_gets_in_as_consented),
    ("doors::what_is_not_consented_is_refused_with_the_reason", doors::what_is_not_consented_is_refused_with_the_reason),
    ("ends::revocation_kill_time_and_closing_end_live_sessions", ends::revocation_kill_time_and_closing_end_live_sessions),
    ("statements::stock_ssh_keygen_verifies_every_statement", statements::stock_ssh_keygen_verifies_every_statement),
    ("forged::the_device_believes_no_forged_or_foreign_consent", forged::the_device_believes_no_forged_or_foreign_consent),
    ("forged::a_recording_that_was_changed_is_found_out", forged::a_recording_that_was_changed_is_found_out),
    ("tenants::a_customer_sees_nothing_of_another", tenants::a_customer_sees_nothing_of_another),
    ("bad_input::every_wrong_request_is_told_what_is_wrong", bad_input::every_wrong_request_is_told_what_is_wrong),
    ("bad_input::hostile_texts_are_shown_harmless", bad_input::hostile_texts_are_shown_harmless),
    ("bad_input::enrolment_tokens_work_once_and_for_their_centre_only", bad_input::enrolment_tokens_work_once_and_for_their_centre_only),
    ("live::the_log_streams_and_resumes_where_it_was_cut", live::the_log_streams_and_resumes_where_it_was_cut),
    ("processes::an_agent_says_how_it_is", processes::an_agent_says_how_it_is),
    ("processes::the_description_is_what_the_server_serves", processes::the_description_is_what_the_server_serves),
    ("processes::a_backup_taken_while_it_runs_restores", processes::a_backup_taken_while_it_runs_restores),
];

const ALONE: &[(&str, fn())] = &[
    ("rooms::calls_go_one_way", rooms::calls_go_one_way),
    ("rooms::sql_stays_in_its_files", rooms::sql_stays_in_its_files),
    ("crash::nothing_acknowledged_is_lost_or_doubled", crash::nothing_acknowledged_is_lost_or_doubled),
    ("processes::the_demo_leaves_nothing_behind", processes::the_demo_leaves_nothing_behind),
    ("processes::the_agents_bench_runs", processes::the_agents_bench_runs),
];

fn main() {
    let mut arguments = Arguments::from_args();
    // Two cores, and eight agents beside us.
    arguments.test_threads.get_or_insert(3);
    let wanted = |name: &str| {
        let hit = |filter: &String| if arguments.exact { name == filter } else { name.contains(filter.as_str()) };
        arguments.filter.as_ref().is_none_or(hit) && !arguments.skip.iter().any(hit)
    };
    let demo_wanted = !arguments.list && ON_DEMO.iter().any(|(name, _)| wanted(name));
    let demo = demo_wanted.then(|| Arc::new(Demo::up(8)));
    let shared = ON_DEMO.iter().map(|(name, test)| {
        let demo = demo.clone();
        Trial::test(*name, move || {
            test(demo.as_deref().ok_or("no demo")?);
            Ok(())
        })
    });
    let alone = ALONE.iter().map(|(name, test)| {
        Trial::test(*name, move || {
            test();
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, shared.chain(alone).collect());
    drop(demo);
    conclusion.exit();
}
