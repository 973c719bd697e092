#pragma once
#include <cstddef>
#include <cstdint>

/// Every bound of the system, with its unit and its reason.
namespace syncline::limits {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

/// A frame between peers. Bounds what one peer can make another hold before it is checked.
constexpr std::size_t frame_bytes_max = 16 * mib;
/// A message between peers, in as many frames as it needs: a row with eight concurrent values of
/// the largest size.
constexpr std::size_t message_bytes_max = 520 * mib;
/// Before a peer has proved who it is nothing larger is read.
constexpr std::size_t frame_before_auth_bytes_max = 512;
/// Nesting of msgpack values; ours need 4.
constexpr std::size_t pack_depth_max = 16;
/// One value. It is held whole by whoever writes, sends or reads it.
constexpr std::size_t value_bytes_max = 64 * mib;
/// What is put into a text at once: its characters become elements, which take far more memory.
constexpr std::size_t text_insertion_bytes_max = 8 * mib;
/// User keys and fields. Long ones are hashed in the row key, and stored in full in the row.
constexpr std::size_t key_bytes_max = 64 * kib;
/// One transaction as it stands in the log: the largest value and as much beside it as others may
/// have without one. It is applied in one turn.
constexpr std::size_t transaction_bytes_max = value_bytes_max + 16 * mib;
/// LMDB's compile-time bound for keys is 511; row keys stay below it.
constexpr std::size_t row_key_bytes_max = 500;
/// The place of a list element, which stands whole in its row key beside a key of 200 bytes. Room
/// for 10,000 insertions one after the other at one spot, and for hundreds that halve what is left.
constexpr std::size_t position_bytes_max = 280;
/// Ordered collections whose first and last row are remembered, some hundred bytes each.
constexpr std::size_t range_edges_max = 10000;
/// Pieces of long ordered collections whose rows are counted, about a hundred bytes each.
constexpr std::size_t rank_pieces_max = 131072;
/// Texts held in memory for the next edit, a rough estimate of their size; the longest unused go.
constexpr std::size_t texts_bytes_max = 64 * mib;
/// After this many grace periods any replica removes a key whose deadline another one gave.
constexpr std::uint64_t expiry_patience = 10;
/// Keys that one transaction removes because their time has come; there may be one each tick.
constexpr std::size_t expiry_keys_max = 1000;
/// After a key turned out too large to be removed in one transaction nothing is tried for so long.
constexpr std::uint64_t expiry_pause_ms = 60000;
/// Actors a version vector read from outside may hold.
constexpr std::size_t actors_max = 65536;
/// Replicas that a membership record may name.
constexpr std::size_t members_max = 64;

/// A log segment file; larger records get a segment of their own.
constexpr std::size_t log_segment_bytes = 16 * mib;
/// Retention of the log below the checkpoint, for peers that are behind: no more, and no older.
/// What all declared replicas have is not kept at all.
constexpr std::uint64_t log_retention_bytes = 1024 * mib;
constexpr std::uint64_t log_retention_ms = std::uint64_t{24} * 3600 * 1000;
/// How often it is looked whether the log has become too old, while nothing is written.
constexpr std::uint64_t log_retention_look_ms = 1000;
/// A checkpoint starts after this much log, or this much time with changes in the overlay; the
/// time is up to a quarter less, which differs from replica to replica.
constexpr std::uint64_t checkpoint_log_bytes = 64 * mib;
constexpr std::uint64_t checkpoint_interval_ms = 5000;
/// With `durability = interval` a power cut takes what was acknowledged for so long.
constexpr std::uint64_t sync_interval_ms = 1000;
/// The same while peers are connected: events leave when they are synced.
constexpr std::uint64_t sync_interval_linked_ms = 20;
/// Above this many bytes of overlay no more client requests are read until a checkpoint ends.
constexpr std::size_t overlay_bytes_max = 256 * mib;
/// A commit of the base of at least so many rows leaves the disk to others as it goes.
constexpr std::size_t gradual_commit_rows = 1024;

/// Writes that add are refused when map or disk are filled so far; the rest is for deletes, repair
/// and replication.
constexpr unsigned space_stop_percent = 85;
/// Of large disks no more than this need be free: it is more than checkpoints are likely to take.
constexpr std::uint64_t disk_free_bytes_wanted = 4 * 1024 * std::uint64_t{mib};
/// The map, which is address space, grows when the file fills half of it.
constexpr std::uint64_t map_growth = 2;
/// How often room on the disk is looked up, and what waits for it is tried again.
constexpr std::uint64_t space_look_ms = 100;
/// Or when the overlay has grown by this much: some hundred rows, which may need a page each.
constexpr std::size_t space_look_bytes = 64 * kib;
constexpr std::uint64_t space_retry_ms = 250;
/// Readers of the base that died with their process are looked for so often.
constexpr std::uint64_t reader_check_ms = 60000;
/// A turn, and with it a read view of the base, that takes longer is reported.
constexpr std::uint64_t turn_ms_max = 1000;

/// Rows of recorded conflicts; the oldest leave first.
constexpr std::uint64_t conflict_ring_bytes = 64 * mib;
/// A value in a conflict record; of longer ones length and hash are kept.
constexpr std::size_t conflict_value_bytes_max = kib;
/// Conflicts one event may leave behind; more are counted only. A DEL of a huge set beside as many
/// adds must not fill the memory.
constexpr std::size_t conflicts_per_event_max = 65536;
/// Rows of the other type looked at, in the order of their keys, when types clash. If the event had
/// seen so many of a larger collection, a clash with a later row is not recorded.
constexpr std::size_t clash_rows_max = 128;
/// One page of records: rows looked at, bytes gathered. Bounds the time a reader takes in a turn.
constexpr std::size_t conflict_rows_per_page = 10000;
constexpr std::size_t conflict_page_bytes_target = 1 * mib;

/// Bytes of log a peer may have in flight without an acknowledgement.
constexpr std::uint64_t link_window_bytes = 4 * mib;
/// Frames gathered into one BATCH.
constexpr std::size_t batch_bytes_target = 256 * kib;
/// A transaction that would make a BATCH larger than this goes in one of its own.
constexpr std::size_t batch_bytes_max = 1 * mib;
/// Messages of this size are worth being compressed: smaller ones are those of a replica that has
/// little to say, and keep their latency.
constexpr std::size_t compressed_bytes_min = 4 * kib;
/// Longer ones are sent as they are, so that no few bytes can ask a peer for more memory than this.
constexpr std::size_t compressed_bytes_max = 16 * mib;
constexpr std::uint64_t heartbeat_ms = 500;
/// Messages of publish/subscribe for a peer are dropped while more than this waits on its
/// connection, so that no publisher fills the memory: the window of a log, and as much again.
constexpr std::size_t publication_backlog_bytes_max = 2 * link_window_bytes;
/// Links that such a message passes at most: as many as a chain of all members has.
constexpr std::uint64_t publication_hops_max = members_max;
/// Runs of replicas whose latest message is remembered; the one unheard for longest goes.
constexpr std::size_t publication_runs_max = 1024;
/// A transaction whose clock is further ahead pauses the link.
constexpr std::uint64_t clock_offset_ms_max = 10000;
/// How long after its deadline a key is removed: twice what clocks may differ, and some time for a
/// later deadline to arrive.
constexpr std::uint64_t expiry_grace_ms = 2 * clock_offset_ms_max + 5000;

/// A snapshot of an embedded database holds checkpoints back, so that memory and log grow: it ends
/// after so long, and when so much has been written meanwhile.
constexpr std::uint64_t snapshot_ms_max = 60000;
constexpr std::uint64_t snapshot_bytes_max = 128 * mib;

/// What a backup reads in one turn, one block of its files; a text is read whole.
constexpr std::size_t backup_piece_bytes_target = 512 * kib;
/// The same between a server's other work, perhaps from a disk: some dozen pages.
constexpr std::size_t backup_turn_bytes_target = 128 * kib;
/// A new replica copies the rows of a peer that has so many. Fewer are soon read from its log, or
/// compared.
constexpr std::uint64_t copy_rows_min = 100000;
/// Or of one whose rows have so many bytes, half of what a session could bring.
constexpr std::uint64_t copy_bytes_min = 256 * std::uint64_t{mib};
/// Either side of a copy gives up when the other has been silent for so long.
constexpr std::uint64_t copy_silence_ms_max = 30000;
/// A backup gives up when so much log waits to be copied.
constexpr std::uint64_t backup_log_held_bytes_max = 4096 * std::uint64_t{mib};
/// A backup goes on in another file from here on, so that copies of it can be made side by side.
constexpr std::uint64_t backup_file_bytes_target = 256 * mib;

/// All that is stored is looked at again after so long; rows found damaged are fetched from a peer.
constexpr std::uint64_t scrub_interval_ms = std::uint64_t{30} * 24 * 3600 * 1000;
/// Rows looked at in a tick, of which there are ten a second: in the background, where nobody may
/// notice it, and while somebody waits for it.
constexpr std::uint64_t scrub_rows_per_tick = 1000;
constexpr std::uint64_t scrub_rows_per_tick_fast = 20000;

/// Rows of a Merkle session held in memory until they are verified.
constexpr std::size_t session_staged_bytes_max = 512 * mib;
/// The same for a comparison, which is only told: more than this is a repair's work.
constexpr std::size_t comparison_staged_bytes_max = 64 * mib;
/// One TAGS or ROWS message.
constexpr std::size_t session_message_bytes_target = 1 * mib;

/// A repair with a cap (`repair-bandwidth`) sends after a pause as much at once as the cap allows
/// in this time, and no smaller pieces than these.
constexpr std::uint64_t repair_burst_ms = 250;
constexpr std::size_t repair_piece_bytes_min = 16 * kib;
/// More than any network carries: a bound for the arithmetic.
constexpr std::uint64_t repair_bandwidth_max = std::uint64_t{1} << 40;

/// Client side.
constexpr std::size_t clients_max = 10000;
constexpr std::size_t request_arguments_max = std::size_t{1024} * 1024;
constexpr std::size_t request_bytes_max = value_bytes_max + 16 * mib;
constexpr std::size_t inline_bytes_max = 64 * kib;
constexpr std::size_t client_output_bytes_max = 256 * mib;
/// Channels and patterns of one connection, whose names take memory until it ends.
constexpr std::size_t subscriptions_max = 65536;
/// Unread output of a subscriber: it is cut above the first at once, above the second after a time.
constexpr std::uint64_t subscriber_output_bytes_max = 32 * mib;
constexpr std::uint64_t subscriber_output_bytes_soft = 8 * mib;
constexpr std::uint64_t subscriber_output_soft_s = 60;

}  // namespace syncline::limits
