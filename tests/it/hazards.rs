//! Every hazard of intake that is known from other programs, or was found in the stores we run on, is a test with its name.
//!
//! "1.3" are the hazards of tusd, "4.3" what MinIO and SeaweedFS do under faults (tried). Without a module the
//! test is in one of those below; `intake::…` and others are elsewhere in this binary, `unit` beside the code.
//!
//! | hazard | from | test |
//! |---|---|---|
//! | offset as a sum of sizes: a hole looks complete; Complete with holes succeeds | 1.3, 4.3 | `parts::a_hole_between_parts_is_neither_counted_nor_completed_nor_sent_twice`; unit `progress::a_hole_a_wrong_length_and_a_wrong_checksum_do_not_count` |
//! | `NoSuchUpload` reads as finished | 1.3 | `lost::an_upload_the_store_does_not_know_is_lost_and_never_finished` |
//! | the tail is deleted before its bytes are stored again | 1.3 | `parts::a_tail_is_let_go_only_when_something_stored_covers_it` |
//! | odd sizes: HEAD disagrees with the last PATCH | 1.3 | `intake::bytes_sent_in_pieces_end_in_one_receipt_and_a_permit`, `clients::an_unsigned_upload_moves_between_replicas_and_outlives_what_was_computed_of_it` |
//! | offset and size drift: part 10,001 | 1.3 | `parts::what_would_need_part_10001_is_refused_before_its_first_byte` |
//! | slow or bursty, heavy on the CPU, memory | 1.3 | `tests/bench`; `memory::a_gib_goes_through_with_flat_memory`, `load::a_units_flood_of_slow_uploads_does_not_keep_another_unit_out` |
//! | 423 after a break of the line | 1.3 | `newest::the_newest_request_wins_and_423_is_never_sent` |
//! | finished, and zero bytes long | 1.3 | `words::a_finished_object_of_zero_bytes_is_rejected_at_read_back`; `intake::what_does_not_add_up_is_refused_with_the_reason_and_leaves_nothing`, `dock::odd_files_go_through_marked_or_stay_with_a_reason` |
//! | locks of one process only: two replicas, one upload | 1.3 | `newest::an_upload_moves_between_two_replicas_in_the_middle_of_a_part` |
//! | a Complete whose client dies within 30 ms | 4.3 | `killed::ingest_killed_within_30_ms_of_sending_complete`, `killed::an_upload_destroyed_during_complete_is_repeated_by_the_dock_itself` |
//! | the store killed during Complete and UploadPart | 4.3 | `killed::the_store_killed_during_complete_and_while_a_part_is_sent`, `listings::a_store_that_lost_acknowledged_parts_has_lost_the_upload` |
//! | a listed part sent again | 4.3 | `parts::a_hole_between_parts_is_neither_counted_nor_completed_nor_sent_twice` |
//! | concurrent Complete | 4.3 | `newest::two_replicas_that_complete_one_upload_at_once_make_one_item`; `probe::seaweedfs_is_found_to_race_and_a_docking_ends_right` |
//! | a delete marker defeats If-None-Match | 4.3 | `locks::nobody_deletes_shortens_or_replaces_a_locked_version`, `holds::locks_and_holds_reach_every_version_that_somebody_with_root_put_over_an_item` |
//! | compare-and-set of small objects | 4.3 | `probe::minio_keeps_what_is_asked_and_a_run_leaves_nothing_behind` (`sessions.compare-and-set-race`) |
//! | a lock's date passes before Complete; a session idle for days | 4.3 | `lost::a_session_idle_for_days_is_lost_rather_than_locked_for_a_moment` |
//! | its dead multipart | | `reaper::a_dead_upload_is_dropped_with_a_record_and_a_living_one_is_not`, `reaper::a_dock_that_comes_back_after_the_reaper_begins_anew_by_itself` |
//! | a hold header without a retention header gets no default | 4.3 | `probe::minio_keeps_what_is_asked_and_a_run_leaves_nothing_behind` (`holds.header-alone`); nothing of ours is created so |
//! | stale multiparts expired by the store | 4.3 | `lost::an_upload_expired_by_the_store_is_begun_anew_by_the_dock_itself` |
//! | an empty page of parts | 4.3 | `listings::an_empty_page_moves_no_offset_back_and_costs_no_upload` |
//! | a part listed twice | 4.3 | `listings::a_part_listed_twice_counts_once` |
//! | a part listed with size 0; acknowledged parts gone | 4.3 | `listings::a_store_that_lost_acknowledged_parts_has_lost_the_upload` |
//! | checksums ignored or not enforced | 4.3 | `probe::minio_keeps_what_is_asked_and_a_run_leaves_nothing_behind` (`checksums.*`), `intake::a_flipped_byte_is_refused_at_its_mib_and_the_rest_is_kept` |
//! | a listing that shows what HEAD does not, and that does not show what HEAD does | 4.3 | `listings::a_version_that_is_listed_but_not_found_by_head_is_no_item`, `listings::an_original_that_a_listing_forgets_is_found_by_head`, `listings::a_manifest_that_a_listing_forgets_stays_the_only_one` |
//! | a slow reader against a hold | 4.3 | `readers::a_slow_reader_delays_the_hold_of_what_it_reads_and_no_other` |
//! | lock dates to the millisecond | 4.3 | `locks::…`, `holds::every_agency_keeps_by_its_own_regulation`; `vault.rs` knows whole seconds only |
//! | flat folders list slowly | 4.3 | keys are by day and hour: unit tests of `domain/src/keys.rs` |
//! | a cap of the store that does not cover multipart creation | 4.3 | `holds::permanent_is_a_hold_at_once_and_the_horizon_on_confirmation`; the horizon is capped in `domain/src/calendar.rs` |
//! | newest request wins, on whichever replica | | `newest::the_newest_request_wins_and_423_is_never_sent`, `newest::an_upload_moves_between_two_replicas_in_the_middle_of_a_part` |
//! | the same recording from two docks at once | | `newest::the_same_recording_from_two_docks_at_once_is_one_item`; `clients::twice`, `clients::owners` |
//! | conflicting roots | | `newest::conflicting_roots_are_kept_as_variants_also_at_the_same_moment`; `intake::other_bytes_for_the_same_recording_are_kept_beside_it` |
//! | a lying Upload-Length | | `words::a_lying_upload_length_makes_no_item`; `intake::another_offset_too_many_bytes_and_giving_up_are_answered_plainly` |
//! | finished while ingest drains | | `killed::an_upload_finished_while_ingest_drains_gets_its_manifest` |
//! | acknowledged before it is durable: a power cut | 4.3 | `tests/power-cut`, a command of its own for root; `holds::…` for what the auditor puts back |
//! | clock steps | | `words::clocks_that_step_apart_stop_every_lock_until_they_agree`; of a recorder: `intake::a_wrong_recorder_clock_changes_no_lock_and_opens_an_incident` |

mod killed;
mod listings;
mod lost;
mod newest;
mod parts;
mod readers;
mod stage;
mod words;
