#include "net/keyspace_events.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/engine/event.hpp"
#include "core/engine/replica.hpp"
#include "crdt/expiry.hpp"
#include "net/commands/arguments.hpp"
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
    /// A command's own name for what it did to a key takes the place of the type's changes, or of
    /// all when it is about the key itself; further ones come beside it.
    void rename(const Bytes& key, Change change, bool first) {
        const auto found = of_.find(key);
        if (found == of_.end()) return;  // it has not changed
        std::vector<Change>& known = found->second;
        const bool of_key = change.letter == 'g';
        if (known.empty() && !of_key) return;  // the key has gone
        if (first) {
            std::erase_if(known, [&](const Change& one) { return of_key || one.letter != 'g'; });
        }
        const auto place = std::find_if(known.begin(), known.end(),
                                        [](const Change& one) { return one.letter == 'g'; });
        known.insert(of_key ? known.end() : place, change);
    }
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

/// Names of changes by command, where the change itself does not tell: of its first key, of its
/// second one. `all_keys`: the arguments are keys of which one is changed.
struct CommandNames {
    BytesView command;
    Change first;
    Change second{0, {}};
    bool all_keys = false;
};
constexpr CommandNames command_names[] = {
    {"append", {'$', "append"}},
    {"decr", {'$', "decrby"}},
    {"decrby", {'$', "decrby"}},
    {"incrbyfloat", {'$', "incrbyfloat"}},
    {"setrange", {'$', "setrange"}},
    {"setbit", {'$', "setbit"}},
    {"bitfield", {'$', "setbit"}},
    {"hincrbyfloat", {'h', "hincrbyfloat"}},
    {"spop", {'s', "spop"}},
    {"sdiffstore", {'s', "sdiffstore"}},
    {"sinterstore", {'s', "sinterstore"}},
    {"sunionstore", {'s', "sunionstore"}},
    {"zincrby", {'z', "zincr"}},
    {"zremrangebyscore", {'z', "zremrangebyscore"}},
    {"zremrangebyrank", {'z', "zremrangebyrank"}},
    {"zremrangebylex", {'z', "zremrangebylex"}},
    {"zpopmin", {'z', "zpopmin"}},
    {"zpopmax", {'z', "zpopmax"}},
    {"bzpopmin", {'z', "zpopmin"}, {0, {}}, true},
    {"bzpopmax", {'z', "zpopmax"}, {0, {}}, true},
    {"zdiffstore", {'z', "zdiffstore"}},
    {"zinterstore", {'z', "zinterstore"}},
    {"zunionstore", {'z', "zunionstore"}},
    {"zrangestore", {'z', "zrangestore"}},
    {"lpush", {'l', "lpush"}},
    {"lpushx", {'l', "lpush"}},
    {"rpush", {'l', "rpush"}},
    {"rpushx", {'l', "rpush"}},
    {"linsert", {'l', "linsert"}},
    {"lset", {'l', "lset"}},
    {"lrem", {'l', "lrem"}},
    {"ltrim", {'l', "ltrim"}},
    {"lpop", {'l', "lpop"}},
    {"rpop", {'l', "rpop"}},
    {"blpop", {'l', "lpop"}, {0, {}}, true},
    {"brpop", {'l', "rpop"}, {0, {}}, true},
    {"rpoplpush", {'l', "rpop"}, {'l', "lpush"}},
    {"brpoplpush", {'l', "rpop"}, {'l', "lpush"}},
    {"rename", {'g', "rename_from"}, {'g', "rename_to"}},
    {"renamenx", {'g', "rename_from"}, {'g', "rename_to"}},
    {"restore", {'g', "restore"}},
};

/// The names of a command whose options decide on them: `add` gets the place of a key among the
/// arguments, and the change. False: it is not such a command.
template <typename Add>
bool names_by_option(std::span<const Bytes> arguments, const Add& add) {
    const auto is = [&](std::size_t index, BytesView word) {
        return index < arguments.size() && equal_nocase(arguments[index], word);
    };
    if (is(0, "copy")) return add(2, {'g', "copy_to"}), true;
    if (is(0, "lmove") || is(0, "blmove")) {
        add(1, {'l', is(3, "left") ? "lpop" : "rpop"});
        add(2, {'l', is(4, "left") ? "lpush" : "rpush"});
        return true;
    }
    const bool of_lists = is(0, "lmpop") || is(0, "blmpop");
    const bool of_scores = is(0, "zmpop") || is(0, "bzmpop");
    if (!of_lists && !of_scores && !is(0, "sort")) return false;
    for (std::size_t i = 2; i < arguments.size(); ++i) {
        Change popped{0, {}};
        if (of_lists && is(i, "left")) popped = {'l', "lpop"};
        if (of_lists && is(i, "right")) popped = {'l', "rpop"};
        if (of_scores && is(i, "min")) popped = {'z', "zpopmin"};
        if (of_scores && is(i, "max")) popped = {'z', "zpopmax"};
        for (std::size_t key = 2; popped.letter != 0 && key < i; ++key) add(key, popped);
        if (is(0, "sort") && is(i, "store")) add(i + 1, {'l', "sortstore"});
    }
    return true;
}

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

void KeyspaceEvents::note(std::span<const Bytes> arguments) {
    if (classes_ == 0 || arguments.size() < 2) return;
    const auto add = [&](std::size_t index, const Change& change) {
        if (index >= arguments.size()) return;
        notes_.push_back(Note{arguments[index], change.letter, change.name});
    };
    if (names_by_option(arguments, add)) return;
    const auto* const names = std::find_if(
        std::begin(command_names), std::end(command_names),
        [&](const CommandNames& row) { return equal_nocase(arguments[0], row.command); });
    if (names == std::end(command_names)) return;
    const std::size_t last = names->all_keys ? arguments.size() - 1 : 1;
    for (std::size_t key = 1; key <= last; ++key) add(key, names->first);
    if (!names->second.name.empty()) add(2, names->second);
}

void KeyspaceEvents::stage(const Event& event, Origin origin, PubSub& pubsub) {
    const std::vector<Note> notes = std::exchange(notes_, {});
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
    Changes changes = changes_of(event);
    if (origin == Origin::command) {
        std::set<Bytes> renamed;
        for (const Note& note : notes) {
            changes.rename(note.key, {note.letter, note.name}, renamed.insert(note.key).second);
        }
    }
    const bool by_time = origin == Origin::expiry;
    const Change gone = by_time ? Change{'x', "expired"} : Change{'g', "del"};
    for (const auto& [key, known] : changes.all()) {
        for (const Change& change : known) tell(key, change);
        if (known.empty()) tell(key, gone);
    }
}

KeyspaceEvents::Origin origin_of(const Event& event, const Replica& replica) {
    if (event.dot.actor != replica.actor()) return KeyspaceEvents::Origin::peer;
    return replica.expiring() ? KeyspaceEvents::Origin::expiry : KeyspaceEvents::Origin::command;
}

}  // namespace syncline
