#include "net/keyspace_events.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "core/engine/event.hpp"
#include "crdt/expiry.hpp"
#include "net/pubsub.hpp"

namespace syncline {
namespace {

/// In the order in which Redis shows them.
constexpr BytesView class_letters = "g$lshzxetdnKEm";
/// What 'A' stands for: all that happens to keys that are there.
constexpr BytesView all_letters = "g$lshzxetd";

constexpr std::uint32_t bit_of(char letter) {
    return std::uint32_t{1} << class_letters.find(letter);
}

constexpr std::uint32_t all_bits() {
    std::uint32_t bits = 0;
    for (const char letter : all_letters) bits |= bit_of(letter);
    return bits;
}

/// A change as Redis would name it: its class, and the name.
struct Change {
    char letter;
    BytesView name;

    bool operator==(const Change&) const = default;
};

/// What happened to each key, each name once.
class Changes {
public:
    void add(const Bytes& key, Change change) {
        std::vector<Change>& known = of_[key];
        if (std::find(known.begin(), known.end(), change) == known.end()) known.push_back(change);
    }
    /// What was there before has gone; what else is told of the key came in its place.
    void clear(const Bytes& key) { of_.try_emplace(key); }
    [[nodiscard]] const std::map<Bytes, std::vector<Change>>& all() const { return of_; }

private:
    std::map<Bytes, std::vector<Change>> of_;
};

/// The names of a type's changes; empty: there is no such one.
struct TypeNames {
    CellType type;
    char letter;
    BytesView written;
    BytesView incremented;
    BytesView removed;
};
constexpr TypeNames type_names[] = {
    {CellType::string, '$', "set", "incrby", "del"},
    {CellType::hash, 'h', "hset", "hincrby", "hdel"},
    {CellType::set, 's', "sadd", {}, "srem"},
    {CellType::sorted_set, 'z', "zadd", "zincr", "zrem"},
    {CellType::list, 'l', "linsert", {}, "lrem"},
};
constexpr Change change_of_own_type{'g', "change"};

bool increments(const CellDelta& delta, const Dot& dot) {
    return std::any_of(delta.counter.begin(), delta.counter.end(), [&](const Counter::Entry& part) {
        return part.first == dot.actor && part.second.last == dot.counter;
    });
}

void add_change(Changes& changes, const CellOp& op, const Dot& dot) {
    if (op.type == CellType::expiry) {
        if (!op.delta.value) return;  // with what else happens to the key
        const bool ends = deadline_from_bytes(*op.delta.value).value_or(never) != never;
        return changes.add(op.key, {'g', ends ? "expire" : "persist"});
    }
    const auto* const names =
        std::find_if(std::begin(type_names), std::end(type_names),
                     [&](const TypeNames& row) { return row.type == op.type; });
    if (names == std::end(type_names)) return changes.add(op.key, change_of_own_type);
    if (op.delta.writes_dots && op.delta.value) {
        changes.add(op.key, {names->letter, names->written});
    } else if (increments(op.delta, dot)) {
        changes.add(op.key, {names->letter, names->incremented});
    } else if (op.delta.writes_dots) {
        changes.add(op.key, {names->letter, names->removed});
    }  // else a reset, of a key that is cleared
}

Changes changes_of(const Event& event) {
    Changes changes;
    for (const Op& op : event.ops) {
        if (const auto* const cell = std::get_if<CellOp>(&op)) {
            add_change(changes, *cell, event.dot);
        } else if (const auto* const clear = std::get_if<ClearKey>(&op)) {
            changes.clear(clear->key);
        } else if (const auto* const edit = std::get_if<TextEdit>(&op)) {
            changes.add(edit->key, change_of_own_type);
        }
    }
    return changes;
}

}  // namespace

std::string KeyspaceEvents::parse(BytesView letters) {
    std::uint32_t classes = 0;
    for (const char letter : letters) {
        if (letter != 'A' && class_letters.find(letter) == BytesView::npos) {
            return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
        }
        classes |= letter == 'A' ? all_bits() : bit_of(letter);
    }
    classes_ = classes;
    return {};
}

std::string KeyspaceEvents::text() const {
    const bool all = (classes_ & all_bits()) == all_bits();
    std::string letters = all ? "A" : "";
    for (const char letter : class_letters) {
        const bool in_all = all_letters.find(letter) != BytesView::npos;
        if (all && (in_all || letter == 'n')) continue;
        if ((classes_ & bit_of(letter)) != 0) letters += letter;
    }
    return letters;
}

void KeyspaceEvents::stage(const Event& event, PubSub& pubsub) const {
    const bool by_key = (classes_ & bit_of('K')) != 0;
    const bool by_event = (classes_ & bit_of('E')) != 0;
    const bool heard = pubsub.names_count(ChannelSpace::plain) > 0 ||
                       pubsub.names_count(ChannelSpace::pattern) > 0;
    if (!heard || (!by_key && !by_event)) return;
    const auto tell = [&](const Bytes& key, const Change& change) {
        if ((classes_ & bit_of(change.letter)) == 0) return;
        const Bytes name(change.name);
        if (by_key) pubsub.stage({false, "__keyspace@0__:" + key, name, false});
        if (by_event) pubsub.stage({false, "__keyevent@0__:" + name, key, false});
    };
    const Changes changes = changes_of(event);
    for (const auto& [key, known] : changes.all()) {
        for (const Change& change : known) tell(key, change);
        if (known.empty()) tell(key, {'g', "del"});
    }
}

}  // namespace syncline
