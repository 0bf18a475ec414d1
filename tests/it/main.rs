//! The end-to-end tests: one binary, a module per feature.
//!
//! They share one demo (server, eight agents, people, keys), each test on an element of its own; tests that kill processes bring
//! up their own. Run them with `make test`, or `cargo build --workspace && cargo test -p lineman-tests`.

#![expect(clippy::expect_used, reason = "tests fail loudly, where they stand")]

mod adversary;
mod alarms;
mod bad_input;
mod case_index;
mod clients;
mod clocks;
mod crash;
mod cuts;
mod doors;
mod duty;
mod ends;
mod exchange;
mod fault_life;
mod finding;
mod forged;
mod library;
mod lists;
mod live;
mod notices;
mod offers;
mod processes;
mod reports;
mod rooms;
mod semantics;
mod sign_in;
mod statements;
mod story;
mod tenants;
mod terminal;
mod transport;
mod trust;
mod walls;
mod witness;

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
    (
        "sign_in::a_browser_signs_in_with_a_cookie_that_no_other_site_can_use",
        sign_in::a_browser_signs_in_with_a_cookie_that_no_other_site_can_use,
    ),
    ("sign_in::links_roles_and_tokens_are_the_administrators", sign_in::links_roles_and_tokens_are_the_administrators),
    ("sign_in::what_streams_to_somebody_ends_with_their_sign_in", sign_in::what_streams_to_somebody_ends_with_their_sign_in),
    ("sign_in::no_secret_lies_in_a_table", sign_in::no_secret_lies_in_a_table),
    ("walls::a_wall_token_opens_its_wall_and_nothing_else", walls::a_wall_token_opens_its_wall_and_nothing_else),
    ("walls::a_revoked_wall_goes_dark_while_it_is_watched", walls::a_revoked_wall_goes_dark_while_it_is_watched),
    ("walls::the_log_is_read_by_whom_it_concerns", walls::the_log_is_read_by_whom_it_concerns),
    ("lists::every_list_understands_the_grammar", lists::every_list_understands_the_grammar),
    ("lists::no_question_harms_a_list", lists::no_question_harms_a_list),
    ("lists::rows_carry_what_lists_show", lists::rows_carry_what_lists_show),
    ("lists::views_are_saved_shared_and_counted", lists::views_are_saved_shared_and_counted),
    ("lists::lists_and_views_from_the_command_line", lists::lists_and_views_from_the_command_line),
    ("tenants::a_customer_sees_nothing_of_another", tenants::a_customer_sees_nothing_of_another),
    ("bad_input::every_wrong_request_is_told_what_is_wrong", bad_input::every_wrong_request_is_told_what_is_wrong),
    ("bad_input::hostile_texts_are_shown_harmless", bad_input::hostile_texts_are_shown_harmless),
    ("bad_input::enrolment_tokens_work_once_and_for_their_centre_only", bad_input::enrolment_tokens_work_once_and_for_their_centre_only),
    ("exchange::a_library_is_kept_in_a_folder", exchange::a_library_is_kept_in_a_folder),
    (
        "exchange::an_export_shows_no_customer_and_customers_get_what_is_theirs",
        exchange::an_export_shows_no_customer_and_customers_get_what_is_theirs,
    ),
    ("exchange::hostile_files_are_refused_in_words", exchange::hostile_files_are_refused_in_words),
    ("exchange::users_synonyms_count_from_the_next_question_on", exchange::users_synonyms_count_from_the_next_question_on),
    (
        "finding::what_is_saved_is_found_with_filters_facets_and_highlights",
        finding::what_is_saved_is_found_with_filters_facets_and_highlights,
    ),
    ("finding::no_question_is_an_error", finding::no_question_is_an_error),
    ("library::a_case_is_reviewed_sent_back_edited_and_brought_back", library::a_case_is_reviewed_sent_back_edited_and_brought_back),
    ("library::the_number_of_a_duplicate_answers_with_the_other_case", library::the_number_of_a_duplicate_answers_with_the_other_case),
    (
        "library::customers_read_judge_and_doubt_what_is_published_for_them",
        library::customers_read_judge_and_doubt_what_is_published_for_them,
    ),
    ("library::languages_questions_and_health_are_seen_side_by_side", library::languages_questions_and_health_are_seen_side_by_side),
    ("reports::each_figure_leads_to_its_faults", reports::each_figure_leads_to_its_faults),
    (
        "reports::reports_come_in_every_form_and_for_each_reader_their_own",
        reports::reports_come_in_every_form_and_for_each_reader_their_own,
    ),
    ("fault_life::two_people_edit_one_fault_and_nothing_typed_is_lost", fault_life::two_people_edit_one_fault_and_nothing_typed_is_lost),
    (
        "fault_life::files_go_in_and_out_as_downloads_and_internal_ones_stay_inside",
        fault_life::files_go_in_and_out_as_downloads_and_internal_ones_stay_inside,
    ),
    ("fault_life::a_request_under_a_key_is_carried_out_once", fault_life::a_request_under_a_key_is_carried_out_once),
    ("fault_life::lists_problems_and_merges_from_the_command_line", fault_life::lists_problems_and_merges_from_the_command_line),
    ("offers::what_is_offered_while_filing_and_what_comes_of_it", offers::what_is_offered_while_filing_and_what_comes_of_it),
    ("offers::a_stretch_of_a_recording_is_evidence", offers::a_stretch_of_a_recording_is_evidence),
    ("live::the_log_streams_and_resumes_where_it_was_cut", live::the_log_streams_and_resumes_where_it_was_cut),
    ("processes::an_agent_says_how_it_is", processes::an_agent_says_how_it_is),
    ("processes::the_description_is_what_the_server_serves", processes::the_description_is_what_the_server_serves),
    ("processes::a_backup_taken_while_it_runs_restores", processes::a_backup_taken_while_it_runs_restores),
];

const ALONE: &[(&str, fn())] = &[
    ("case_index::saved_cases_are_found_whatever_becomes_of_the_file", case_index::saved_cases_are_found_whatever_becomes_of_the_file),
    ("semantics::a_model_is_installed_used_and_removed", semantics::a_model_is_installed_used_and_removed),
    ("semantics::embedding_goes_on_after_a_kill", semantics::embedding_goes_on_after_a_kill),
    ("finding::the_cases_bench_runs", finding::the_cases_bench_runs),
    ("exchange::an_import_that_was_killed_is_completed_by_the_next_one", exchange::an_import_that_was_killed_is_completed_by_the_next_one),
    ("adversary::table::every_cell_names_a_test_that_exists", adversary::table::every_cell_names_a_test_that_exists),
    (
        "adversary::centre::with_all_its_keys_and_its_database_it_enters_nowhere",
        adversary::centre::with_all_its_keys_and_its_database_it_enters_nowhere,
    ),
    ("adversary::centre::it_can_not_widen_a_consent", adversary::centre::it_can_not_widen_a_consent),
    ("adversary::centre::in_grade_gateway_it_can_enter_and_only_there", adversary::centre::in_grade_gateway_it_can_enter_and_only_there),
    (
        "adversary::centre::it_can_delay_a_revocation_and_not_the_local_kill",
        adversary::centre::it_can_delay_a_revocation_and_not_the_local_kill,
    ),
    ("adversary::centre::it_can_not_forge_or_quietly_lose_evidence", adversary::centre::it_can_not_forge_or_quietly_lose_evidence),
    (
        "adversary::centre::a_centre_that_stores_nothing_stops_the_session",
        adversary::centre::a_centre_that_stores_nothing_stops_the_session,
    ),
    ("adversary::centre::it_reads_recordings_and_nothing_else", adversary::centre::it_reads_recordings_and_nothing_else),
    (
        "adversary::centre::a_key_of_a_page_opens_only_what_the_owner_gave_to_pages",
        adversary::centre::a_key_of_a_page_opens_only_what_the_owner_gave_to_pages,
    ),
    ("adversary::centre::invented_orders_do_no_harm", adversary::centre::invented_orders_do_no_harm),
    (
        "adversary::laptop::a_thief_enters_where_the_engineer_may_until_the_roster_says_otherwise",
        adversary::laptop::a_thief_enters_where_the_engineer_may_until_the_roster_says_otherwise,
    ),
    (
        "adversary::laptop::a_thief_can_not_approve_vouch_or_change_the_record",
        adversary::laptop::a_thief_can_not_approve_vouch_or_change_the_record,
    ),
    ("adversary::laptop::a_thief_can_not_widen_what_was_allowed", adversary::laptop::a_thief_can_not_widen_what_was_allowed),
    (
        "adversary::engineer::it_reaches_neither_the_agents_keys_nor_its_controls",
        adversary::engineer::it_reaches_neither_the_agents_keys_nor_its_controls,
    ),
    ("adversary::engineer::a_hidden_shell_is_recorded_line_by_line", adversary::engineer::a_hidden_shell_is_recorded_line_by_line),
    (
        "adversary::engineer::what_hides_from_the_session_dies_with_the_consent",
        adversary::engineer::what_hides_from_the_session_dies_with_the_consent,
    ),
    ("adversary::engineer::side_doors_are_shut", adversary::engineer::side_doors_are_shut),
    (
        "adversary::engineer::a_forward_leads_where_the_carrier_said_and_nowhere_else",
        adversary::engineer::a_forward_leads_where_the_carrier_said_and_nowhere_else,
    ),
    ("adversary::device::it_speaks_for_itself_only", adversary::device::it_speaks_for_itself_only),
    ("adversary::device::nonsense_ends_its_own_link_and_nothing_else", adversary::device::nonsense_ends_its_own_link_and_nothing_else),
    (
        "adversary::network::agents_do_not_talk_to_a_centre_under_another_authority",
        adversary::network::agents_do_not_talk_to_a_centre_under_another_authority,
    ),
    ("adversary::network::a_false_device_is_refused_by_stock_ssh", adversary::network::a_false_device_is_refused_by_stock_ssh),
    ("trust::where_two_are_asked_for_one_is_not_enough", trust::where_two_are_asked_for_one_is_not_enough),
    (
        "trust::a_standing_statement_lets_a_level_in_until_it_is_taken_back",
        trust::a_standing_statement_lets_a_level_in_until_it_is_taken_back,
    ),
    ("trust::consent_can_be_given_while_filing", trust::consent_can_be_given_while_filing),
    ("trust::through_the_gateway_only_where_the_carrier_said_so", trust::through_the_gateway_only_where_the_carrier_said_so),
    ("trust::the_stop_ends_everything_of_one_customer_and_of_no_other", trust::the_stop_ends_everything_of_one_customer_and_of_no_other),
    ("trust::the_device_stops_and_lets_in_without_the_centre", trust::the_device_stops_and_lets_in_without_the_centre),
    ("trust::a_signer_list_changes_by_its_own_signers_only", trust::a_signer_list_changes_by_its_own_signers_only),
    ("trust::an_approver_sees_requests_as_they_come", trust::an_approver_sees_requests_as_they_come),
    (
        "witness::a_session_is_watched_searched_and_proved_without_a_server",
        witness::a_session_is_watched_searched_and_proved_without_a_server,
    ),
    ("witness::a_notice_brings_a_link_and_no_power", witness::a_notice_brings_a_link_and_no_power),
    ("notices::a_person_is_told_signed_logged_and_told_again_on_demand", notices::a_person_is_told_signed_logged_and_told_again_on_demand),
    ("notices::a_killed_server_tells_everything_all_the_same", notices::a_killed_server_tells_everything_all_the_same),
    ("terminal::a_browser_works_on_a_device_through_cuts", terminal::a_browser_works_on_a_device_through_cuts),
    ("clocks::warnings_come_once_also_after_a_kill", clocks::warnings_come_once_also_after_a_kill),
    ("clocks::calendars_tiers_and_contracts_are_kept_with_their_guards", clocks::calendars_tiers_and_contracts_are_kept_with_their_guards),
    (
        "duty::a_fault_finds_its_office_and_goes_up_and_a_shift_is_handed_over",
        duty::a_fault_finds_its_office_and_goes_up_and_a_shift_is_handed_over,
    ),
    ("alarms::a_storm_is_one_fault_and_the_list_answers", alarms::a_storm_is_one_fault_and_the_list_answers),
    ("rooms::calls_go_one_way", rooms::calls_go_one_way),
    ("rooms::sql_stays_in_its_files", rooms::sql_stays_in_its_files),
    ("fault_life::kills_lose_and_double_no_request", fault_life::kills_lose_and_double_no_request),
    ("crash::nothing_acknowledged_is_lost_or_doubled", crash::nothing_acknowledged_is_lost_or_doubled),
    ("cuts::what_is_under_way_goes_on_after_a_cut", cuts::what_is_under_way_goes_on_after_a_cut),
    ("cuts::a_server_that_restarts_ends_sessions_and_says_so", cuts::a_server_that_restarts_ends_sessions_and_says_so),
    ("cuts::a_cut_longer_than_the_grace_ends_the_session", cuts::a_cut_longer_than_the_grace_ends_the_session),
    ("cuts::many_cuts_and_long_idleness", cuts::many_cuts_and_long_idleness),
    ("clients::ssh::commands_end_as_they_do_at_home", clients::ssh::commands_end_as_they_do_at_home),
    ("clients::many::fifty_channels_share_one_connection", clients::many::fifty_channels_share_one_connection),
    ("clients::many::lineman_ssh_shares_its_connection", clients::many::lineman_ssh_shares_its_connection),
    ("clients::files::scp_copies_both_ways_in_both_protocols", clients::files::scp_copies_both_ways_in_both_protocols),
    ("clients::files::sftp_does_what_people_type", clients::files::sftp_does_what_people_type),
    ("clients::files::reading_only_changes_nothing", clients::files::reading_only_changes_nothing),
    ("clients::files::rsync_brings_trees_in_step", clients::files::rsync_brings_trees_in_step),
    ("clients::files::rsync_goes_on_where_it_was_killed", clients::files::rsync_goes_on_where_it_was_killed),
    ("clients::terminal::a_person_works_in_a_shell", clients::terminal::a_person_works_in_a_shell),
    ("clients::terminal::tmux_is_left_and_taken_up_again", clients::terminal::tmux_is_left_and_taken_up_again),
    ("clients::terminal::programs_that_draw_the_screen", clients::terminal::programs_that_draw_the_screen),
    ("clients::terminal::ten_thousand_lines_are_pasted", clients::terminal::ten_thousand_lines_are_pasted),
    ("clients::paramiko::a_program_works_through_the_gateway", clients::paramiko::a_program_works_through_the_gateway),
    ("clients::ansible::it_works_on_many_devices_at_once", clients::ansible::it_works_on_many_devices_at_once),
    ("clients::many::many_sessions_on_one_device", clients::many::many_sessions_on_one_device),
    ("clients::many::many_sessions_on_some_devices", clients::many::many_sessions_on_some_devices),
    (
        "clients::refused::other_ways_are_refused_in_words_and_the_session_goes_on",
        clients::refused::other_ways_are_refused_in_words_and_the_session_goes_on,
    ),
    ("clients::refused::mosh_is_refused_in_words", clients::refused::mosh_is_refused_in_words),
    (
        "clients::day::two_engineers_work_on_one_device_each_under_their_own_consent",
        clients::day::two_engineers_work_on_one_device_each_under_their_own_consent,
    ),
    (
        "transport::devices_enrol_and_link_over_ipv6_beside_ipv4_and_through_a_proxy",
        transport::devices_enrol_and_link_over_ipv6_beside_ipv4_and_through_a_proxy,
    ),
    ("transport::a_session_goes_through_a_proxy_inside_tls", transport::a_session_goes_through_a_proxy_inside_tls),
    ("processes::the_demo_leaves_nothing_behind", processes::the_demo_leaves_nothing_behind),
    ("processes::the_agents_bench_runs", processes::the_agents_bench_runs),
    ("processes::the_kills_bench_runs", processes::the_kills_bench_runs),
    ("processes::the_sessions_bench_runs", processes::the_sessions_bench_runs),
    ("reports::the_faults_bench_runs", reports::the_faults_bench_runs),
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
