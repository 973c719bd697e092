#pragma once
#include <compare>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/base/limits.hpp"
#include "core/engine/conflict_ring.hpp"
#include "core/engine/damage.hpp"
#include "core/engine/event.hpp"
#include "core/engine/key_policies.hpp"
#include "core/engine/range_edges.hpp"
#include "core/engine/rank_index.hpp"
#include "core/engine/texts.hpp"
#include "core/merkle/leaf_sums.hpp"
#include "storage/store.hpp"
#include "storage/tables.hpp"

namespace syncline {

/// Called for the live fields of one key and type; false ends the walk.
using CellVisitor = std::function<bool(BytesView field, const Cell& cell)>;
/// Which way a walk goes.
enum class WalkOrder : std::uint8_t { ascending, descending };

/// Called for the members of a sorted set; false ends the walk.
using ScoreVisitor = std::function<bool(BytesView member, double score)>;

/// A part of the order of a sorted set, which is by score and then by member: from one place to
/// another, the first belongs to it.
struct ScoreRange {
    struct Place {
        std::uint64_t order = 0;  ///< of a score, or one more: behind all members of that score
        Bytes member;             ///< empty: before all members of that score

        auto operator<=>(const Place&) const = default;
    };
    Place from;
    std::optional<Place> to;  ///< nothing: the end
};
/// Called for existing keys with their visible type; false ends the walk.
using KeyVisitor = std::function<bool(BytesView key, CellType type)>;

/// What a group records of conflicts.
struct ConflictOptions {
    std::uint64_t ring_bytes = limits::conflict_ring_bytes;
    bool capture_values = true;  ///< false: records keep the length of values only
};

/// The state of one replication group: cells, version vector, leaf sums and the derived counts,
/// kept in step by the one way in, apply().
/// Invariants: the state is a function of the events the version vector covers; every live dot is
/// covered by it; leaf sums are the sums over the rows of table `cells`.
/// Thread-safety: confined to one thread.
class Group {
public:
    Group(Store& store, unsigned leaf_bits, std::uint64_t hash_seed,
          ConflictOptions conflicts = {});

    /// What removals of transactions that begin here write.
    void set_policies(KeyPolicies policies) { policies_ = std::move(policies); }
    [[nodiscard]] const KeyPolicies& policies() const { return policies_; }

    /// The cell of a key (and field); an empty cell when there is no row.
    Result<Cell> cell(BytesView key, CellType type, std::optional<BytesView> field);
    /// What GET shows of a key that can hold nothing but a string, in one look-up: a key of another
    /// type, or a row that takes longer to read, is `unclear`.
    struct PlainString {
        bool unclear = false;
        std::optional<Bytes> value;
    };
    Result<PlainString> plain_string(BytesView key);
    /// Live fields of a hash or members of a set. O(1).
    Result<std::uint64_t> count(BytesView key, CellType type);
    /// The live type with the highest precedence, if any.
    Result<std::optional<CellType>> visible_type(BytesView key);
    /// Walks rows of one type of a key, in row order or back, live or not; from behind the row of
    /// a field, if one is named, in ascending order.
    Result<void> scan_cells(BytesView key, CellType type, const CellVisitor& visit,
                            WalkOrder walk = WalkOrder::ascending,
                            std::optional<BytesView> after = std::nullopt);
    /// Where elements of a list stand, by their positions; null: it is not known for keys as long
    /// as this one. O(n) when nobody has asked for long, else O(1).
    Result<const RankIndex::Pieces*> list_pieces(BytesView key);
    /// A piece that is too long becomes several. O(rows of the piece).
    Result<void> split_list_piece(BytesView key, std::size_t index);
    /// Walks members of a sorted set in the order of their scores. O(log n) to the first.
    Result<void> scan_scores(BytesView key, const ScoreRange& range, WalkOrder walk,
                             const ScoreVisitor& visit);
    /// When a key ends, if it ever does; nothing also for `never`. O(1), and nothing at all while
    /// no key has a deadline.
    Result<std::optional<std::uint64_t>> deadline(BytesView key);
    /// Some key has, or had, something to say of its end.
    [[nodiscard]] bool may_expire() const { return may_expire_; }
    /// Walks keys by their deadlines, from `from` on: (key, deadline) and which write it is.
    using DeadlineVisitor = std::function<bool(BytesView key, std::uint64_t deadline_ms)>;
    Result<void> scan_deadlines(std::uint64_t from_ms, const DeadlineVisitor& visit);
    /// Walks existing keys from the hash position `cursor`. All keys of one hash come together.
    /// Stops after at least `count` rows were looked at; the result continues the walk, 0 ends it.
    Result<std::uint64_t> scan_keys(std::uint64_t cursor, std::size_t count,
                                    const KeyVisitor& visit);
    /// The generation of a text that is seen: the one made last, by (timestamp, actor).
    Result<std::optional<Dot>> text_generation(BytesView key);
    /// One generation of a text, empty when there is none; valid until the group changes.
    Result<const Text*> text(BytesView key, const Dot& generation) {
        SYNCLINE_CHECK(trust(key));
        return texts_.find(TextName{Bytes(key), generation});
    }
    /// Edits a text ahead of event `dot`, which must carry the same edits; see Texts. The group's
    /// rows change with apply() only.
    Result<void> edit_text(BytesView key, const Dot& generation, const TextOp& op, const Dot& dot) {
        return texts_.edit(TextName{Bytes(key), generation}, op, dot);
    }
    /// Such edits are not to be: all, or those of one generation.
    void discard_text_edits() { texts_.discard(); }
    void discard_text_edits(BytesView key, const Dot& generation) {
        texts_.discard(TextName{Bytes(key), generation});
    }
    /// Number of existing keys. O(1).
    [[nodiscard]] std::uint64_t keys_count() const { return keys_count_; }

    /// Counter resets for everything live under a key, or in a bucket range: what a range delete in
    /// transaction `dot` must carry besides itself.
    Result<std::vector<CellOp>> counter_resets(const RowRange& range, const Dot& dot);

    /// Whether an event may be taken in now: its past is covered and its counter is the next of its
    /// actor, error causality if not; and its edits of texts can be made, error corrupt if not.
    [[nodiscard]] Result<void> admit(const Event& event);
    /// Takes in an event. Errors: causality when the event's past is not covered or its counter is
    /// not the next of its actor (nothing changes); storage errors (the state is then unusable).
    /// `position`: end of the event's log record, for readers that wait on it.
    Result<void> apply(const Event& event, Position position);

    /// Joins one foreign row of a verified snapshot into the state; `value` absent: the peer has no
    /// such row. The version vector is not changed: call adopt() after all rows.
    Result<void> join_row(BytesView row_key, std::optional<BytesView> value,
                          const VersionVector& peer_vv, Position position);
    Result<void> adopt(const VersionVector& peer_vv, Hlc peer_hlc, Position position);

    /// Texts of a peer, by what differs in its snapshot from this replica's base, as join_row takes
    /// it. A row of a text says little without the others, so these are joined whole.
    using PeerTexts = std::vector<std::pair<TextName, Text>>;
    /// Error corrupt when rows are damaged, or no rows of a text.  O(rows of these texts).
    Result<PeerTexts> peer_texts(const std::map<Bytes, std::optional<Bytes>>& rows);
    /// To be called after join_row for all rows.
    Result<void> join_texts(const PeerTexts& texts, Position position);

    /// What was recorded here of concurrent transactions, page by page.
    [[nodiscard]] ConflictRing& conflicts() { return conflicts_; }
    [[nodiscard]] const ConflictRing& conflicts() const { return conflicts_; }

    [[nodiscard]] const VersionVector& vv() const { return vv_; }
    [[nodiscard]] const LeafSums& leaf_sums() const { return leaf_sums_; }
    [[nodiscard]] HybridClock& clock() { return clock_; }
    [[nodiscard]] Store& store() { return store_; }

    // Damage: core/engine/group_damage.cpp
    /// Buckets whose rows were lost or changed behind the engine's back, and how that showed.
    [[nodiscard]] const std::map<std::uint32_t, std::string>& damaged() const { return damaged_; }
    /// Faults found since the start, and the latest of them.
    [[nodiscard]] std::uint64_t damages() const { return damages_; }
    [[nodiscard]] const std::string& finding() const { return finding_; }
    /// Buckets that a peer's rows have filled anew since the start.
    [[nodiscard]] std::uint64_t restored() const { return restored_; }
    /// A row failed while somebody read it: everything is to be looked at again before it is shown.
    void distrust();
    /// The same for one bucket.
    void distrust(std::uint32_t bucket);
    /// Each bucket is looked at anew by whoever needs it, but nobody goes and looks at all of them.
    void forget_verified();
    /// Until the next checkpoint no bucket needs to be looked at. Precondition: the base has no
    /// rows, and this has none.
    void trust_empty_base();
    /// Looks at a bucket as a whole, unless its state is known to be other than verified. Damage is
    /// no error: it becomes the bucket's state. Errors: io. O(rows of the bucket).
    Result<void> verify_bucket(std::uint32_t bucket);
    /// Looks at all buckets from one row key to another (nothing: to the end) that are not known
    /// yet, but for very large ones, for which a scrub is begun. Errors: corrupt, unavailable (one
    /// is damaged, or about to be repaired); io. O(rows not yet looked at since the start).
    Result<void> verify_rows(BytesView from, std::optional<BytesView> to) {
        return trust_walk(from, to);
    }
    /// Operations that passed a frozen bucket by.
    [[nodiscard]] std::uint64_t passed_by() const { return passed_by_; }
    /// All rows should be looked at soon; forgets it.
    bool take_scrub_wanted() { return std::exchange(scrub_wanted_, false); }
    [[nodiscard]] BucketState bucket_state(std::uint32_t bucket) const {
        return bucket_states_[bucket];
    }

    /// The same in slices; see BucketCheck. continue_check() looks at about `rows_max` more rows.
    [[nodiscard]] BucketCheck begin_check(std::uint32_t bucket, bool thorough) const;
    Result<void> continue_check(BucketCheck& check, std::size_t rows_max);
    Result<void> finish_check(const BucketCheck& check);
    /// Writes are told to this check from now on; null: to none. One at a time.
    void follow_check(BucketCheck* check) {
        scrub_check_ = check;
        leaf_sums_.watch(check != nullptr ? &check->seen : nullptr);
    }
    /// Whether a row of `cells` and the count of its key can be read, or are absent. False: the
    /// state of its bucket says what is wrong. Errors: of storage, but no damage.
    Result<bool> is_readable(BytesView row_key);
    /// Looks at some rows of table `deadlines` from `from` on; erases those that stand for nothing.
    /// Nothing: that was the last.
    Result<std::optional<Bytes>> check_deadlines(BytesView from, std::size_t rows_max,
                                                 std::uint64_t& faults);
    /// The number of keys as a pass over all buckets found it, with changes during the pass.
    void count_keys(std::uint32_t buckets_done, std::uint64_t keys) {
        counted_buckets_ = buckets_done;
        counted_keys_ += keys;
    }
    void begin_count_keys() { counted_buckets_ = 0, counted_keys_ = 0; }
    /// The pass is over. False: the number of keys was wrong; it is right now.
    bool finish_count_keys();

    /// Lets a peer's rows take the place of all rows of a damaged bucket. The peer must have seen
    /// every event that this replica has. Errors: corrupt (of the peer's rows).
    Result<void> restore_bucket(std::uint32_t bucket, const std::map<Bytes, Bytes>& rows,
                                Position position);
    /// Rows of the base that the next checkpoint has to remove whatever they are; and that it did.
    [[nodiscard]] bool purge_due() const { return !purges_.empty(); }
    std::vector<Purge> take_purges() { return std::exchange(purges_, {}); }
    void purged();

    /// From now on rows in which something can be collected are noted; those that are there already
    /// are looked for by collect().
    void begin_noting_collectable();
    /// A new stable cut: rows that were noted are to be looked at again.
    void begin_collection(const VersionVector& cut);
    /// Looks at some more of them, at most `rows_max`. True: all have been. What it changes is a
    /// function of the rows and the cut; it makes no event, and after a crash it may be done again.
    Result<bool> collect(std::size_t rows_max, Position position);
    /// All that the cut allows to collect is collected.
    [[nodiscard]] bool collected() const { return collected_; }
    [[nodiscard]] std::uint64_t rows_collected() const { return rows_collected_; }
    /// Removals that came for list elements which another one had removed, neither having seen the
    /// other; since the start. What was popped like this was handed out more than once. Exact: each
    /// replica counts all but the first removal of an element, unless a session brought them.
    [[nodiscard]] std::uint64_t elements_removed_again() const { return elements_removed_again_; }

    /// Meta rows that describe this state, for a checkpoint; and the way back.
    void save(RowChanges& meta);
    Result<void> load();
    /// Of it the leaf sums that changed.
    static void save_leaf_sums(LeafSums& sums, RowChanges& meta);
    /// Version vector and clock of the base's checkpoint. Error corrupt: it has none.
    Result<void> read_base(VersionVector& vv, Hlc& hlc);

    /// Recomputes leaf sums, counts and keys from the rows and compares: error corrupt names the
    /// first difference. For tests, the simulator and audits. O(rows).
    Result<void> check();

private:
    /// Live cells of a key by type. Those of strings are not counted: a string has no row beside
    /// its own.
    struct Counts {
        std::array<std::uint64_t, cell_types_count> by_type{};

        std::uint64_t& of(CellType type) { return by_type[cell_type_index(type)]; }
        [[nodiscard]] std::optional<CellType> highest() const;
        [[nodiscard]] std::uint64_t sum() const;
        bool operator==(const Counts&) const = default;
    };

    /// While one lives operations come from elsewhere: damage must not stop them.
    class TakingIn {
    public:
        explicit TakingIn(Group& group) : group_(group), before_(group.taking_in_) {
            group_.taking_in_ = true;
        }
        ~TakingIn() { group_.taking_in_ = before_; }
        TakingIn(const TakingIn&) = delete;
        TakingIn& operator=(const TakingIn&) = delete;

    private:
        Group& group_;
        bool before_;
    };

    [[nodiscard]] std::uint32_t bucket_of(BytesView key) const;
    [[nodiscard]] RowRange rows_of_bucket(std::uint32_t bucket) const;
    Result<void> trust(BytesView key);
    Result<void> trust_bucket(std::uint32_t bucket);
    Result<void> trust_walk(BytesView from, std::optional<BytesView> to);
    [[nodiscard]] bool frozen(BytesView key) const {
        return !damaged_.empty() && damaged_.contains(bucket_of(key));
    }
    /// The same, for an operation that then is not done.
    bool passes_by(BytesView key) {
        if (!frozen(key)) return false;
        ++passed_by_;
        return true;
    }
    void mark_damaged(std::uint32_t bucket, const std::string& reason);
    Result<void> absorb_damage(BytesView key, const Result<void>& result) {
        return absorb_damage(bucket_of(key), result);
    }
    Result<void> absorb_damage(std::uint32_t bucket, const Result<void>& result);
    Result<void> check_cell(BucketCheck& check, BytesView row_key, BytesView value);
    Result<void> expect_row(BucketCheck& check, Table table, const OrderRowKey& expected);
    Result<void> check_counts(BucketCheck& check);
    Result<void> check_derived_row(BucketCheck& check, BytesView row_key, BytesView value);
    void adjust_check(BytesView row_key, const RowName& name, CellType type, const Cell& old_cell,
                      const Cell& new_cell);
    [[nodiscard]] static std::uint64_t derived_rows_of(const BucketCheck& check);
    void purge_damaged_rows(Table table);
    static bool count_is_right(const BucketCheck::Live& live, const Counts& found);
    Result<void> rebuild_derived(std::uint32_t bucket, const std::string& reason);
    Result<void> put_derived(std::uint32_t bucket, const std::map<Bytes, Bytes>& rows,
                             Position position);
    void erase_readable(Table table, const RowRange& range, Position position);
    /// As cell(), whatever is known of its bucket.
    Result<Cell> cell_unchecked(BytesView key, CellType type, std::optional<BytesView> field);

    Result<void> find_clashes(const Event& event);
    Result<void> find_clashes(const CellOp& op, const Event& event);
    Result<void> record_conflicts(Position position);
    Result<void> apply_op(const Event& event, const Op& op, Position position);
    Result<void> apply_cell(const Event& event, const CellOp& op, Position position);
    Result<void> clear_key(BytesView key, const Event& event, Position position);
    Result<void> clear_buckets(const RowRange& range, const Event& event, Position position);
    Result<void> join_sound_row(const Row& row, const std::optional<Bytes>& old_value,
                                std::optional<BytesView> value, const VersionVector& peer_vv,
                                Position position);
    Result<void> edit_text(const TextEdit& edit, const Event& event);
    Result<void> clear_range(const RowRange& range, const Event& event, Position position);
    [[nodiscard]] static Result<bool> goes_whole(const Row& row, const Event& event);
    Result<bool> clear_as_one(const std::vector<RowRange>& ranges, const Event& event,
                              Position position);
    Result<void> forget_rows(const RowRange& range, const Event& event, Position position,
                             std::set<Bytes>& keys);
    Result<void> load_leaf_sums();
    Result<Counts> counts(BytesView key);
    void put_counts(BytesView key, const Counts& counts, Position position);
    static Bytes counts_payload(const Counts& counts, CellType highest);
    Result<void> replace(const RowKey& row_key, const RowName& name,
                         std::optional<BytesView> old_value, const Cell& old_cell,
                         const Cell& new_cell, Position position);
    Result<void> walk_ordered(Table table, const Bytes& prefix, RowRange range, WalkOrder walk,
                              const RowVisitor& visit);
    Result<std::vector<RankIndex::Piece>> cut_rows(Table table, const Bytes& prefix,
                                                   const Bytes& after, const Bytes& to,
                                                   std::uint64_t rows_wanted);
    Result<void> check_ranks();
    void index_deadline(const RowName& name, const Cell& old_cell, const Cell& new_cell,
                        Position position);
    void index_score(const RowName& name, const Cell& old_cell, const Cell& new_cell,
                     Position position);
    Result<void> edit_texts(const Event& event);
    Result<void> find_lost_edits(const RowKey& row_key, const RowName& name, const Event& event);
    Result<void> write_text(const TextEdit& edit, Position position);
    Result<bool> has_generation(const TextName& name);
    Result<void> find_collectable(std::size_t rows_max);
    Result<void> check_texts(std::map<TextName, std::vector<Text::Row>> texts,
                             const std::set<TextName>& generations);
    Result<void> check_derived(Table table, const std::map<Bytes, Bytes>& expected);
    void count_key(BytesView key, bool lives);
    Result<void> count_change(const RowName& name, bool lives, Position position);

    KeyPolicies policies_;
    Store& store_;
    LeafSums leaf_sums_;
    VersionVector vv_;
    HybridClock clock_;
    std::uint64_t keys_count_ = 0;
    ConflictOptions conflict_options_;
    ConflictRing conflicts_;
    RangeEdges edges_;
    RankIndex ranks_;
    Texts texts_;
    bool may_expire_ = false;
    // Collection under the stable cut: core/engine/group_collection.cpp
    bool notes_collectable_ = false;
    bool collected_ = true;
    std::optional<Bytes> unsearched_;  ///< rows from here on were not looked at since the start
    std::set<Bytes> collectable_;      ///< keys of rows
    Bytes collect_from_;
    VersionVector collect_cut_;
    std::uint64_t rows_collected_ = 0;
    std::uint64_t elements_removed_again_ = 0;
    // Damage: core/engine/group_damage.cpp
    std::vector<BucketState> bucket_states_;
    bool base_empty_ = false;  ///< it was, and no checkpoint has been begun
    std::map<std::uint32_t, std::string> damaged_;
    std::map<std::uint32_t, unsigned> rebuilds_;
    std::vector<Purge> purges_;
    BucketCheck* scrub_check_ = nullptr;
    std::uint32_t counted_buckets_ = 0;
    std::uint64_t counted_keys_ = 0;
    std::uint64_t damages_ = 0;
    std::uint64_t restored_ = 0;
    std::uint64_t passed_by_ = 0;
    std::string finding_;
    bool taking_in_ = false;
    bool keys_uncertain_ = false;
    bool scrub_wanted_ = false;
    /// While an event with conflicts, or a snapshot, is taken in.
    std::optional<ConflictFinder> finder_;
};

}  // namespace syncline
