#include "tests/powercut/model.hpp"

#include <algorithm>
#include <array>

#include "core/engine/operations.hpp"

namespace syncline::powercut {
namespace {

using Kind = Change::Kind;

/// Data types by first letter, with what is done to their keys; what stands twice is done twice as
/// often. Keys of `e` and `x` have deadlines.
struct Family {
    char letter;
    std::vector<Kind> kinds;
};
const std::array<Family, 12>& families() {
    static const std::array<Family, 12> all = {
        Family{'s', {Kind::set, Kind::set, Kind::set, Kind::remove}},
        Family{'c', {Kind::increment, Kind::increment, Kind::increment, Kind::remove}},
        Family{'e', {Kind::set, Kind::expire, Kind::expire, Kind::persist, Kind::remove}},
        Family{'x', {Kind::set_add, Kind::set_add, Kind::expire, Kind::remove}},
        Family{'a', {Kind::set_add, Kind::set_add, Kind::set_remove, Kind::remove}},
        Family{'h', {Kind::hash_set, Kind::hash_set, Kind::hash_remove, Kind::remove}},
        Family{'l',
               {Kind::list_push_front, Kind::list_push_back, Kind::list_push_back,
                Kind::list_pop_front, Kind::list_set, Kind::list_insert, Kind::list_erase,
                Kind::remove}},
        Family{'z', {Kind::sorted_add, Kind::sorted_increment, Kind::sorted_remove, Kind::remove}},
        Family{'t', {Kind::text_insert, Kind::text_insert, Kind::text_erase, Kind::remove}},
        Family{'f', {Kind::flag_enable, Kind::flag_disable}},
        Family{'m', {Kind::multi_value_set, Kind::multi_value_set, Kind::remove}},
        Family{'b', {Kind::bounded_increment, Kind::bounded_decrement}},
    };
    return all;
}

constexpr std::uint64_t few_keys = 3;
constexpr std::uint64_t many_keys = 200;
constexpr std::uint64_t deadline_ms_max = 30000;

Bytes draw_bytes(Random& random) {
    // Mostly short; now and then longer than a sector, rarely longer than a small segment.
    const std::uint64_t dice = random.below(100);
    const std::uint64_t bytes_max = dice < 80 ? 40 : dice < 99 ? 2000 : 20000;
    Bytes bytes(static_cast<std::size_t>(random.below(bytes_max)), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.next());
    return bytes;
}

std::vector<Bytes> code_points(BytesView utf8) {
    std::vector<Bytes> points;
    for (const char byte : utf8) {
        const bool continues = (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
        if (continues) {
            points.back() += byte;
        } else {
            points.emplace_back(1, byte);
        }
    }
    return points;
}

Bytes draw_text(Random& random) {
    Bytes text;
    for (std::uint64_t left = 1 + random.below(12); left > 0; --left) {
        const std::uint64_t dice = random.below(30);
        text += dice < 26    ? Bytes(1, static_cast<char>('a' + dice))
                : dice == 26 ? Bytes("\u00e9")
                : dice == 27 ? Bytes("\u20ac")
                             : Bytes(" ");
    }
    return text;
}

std::int64_t number_of(const Bytes& text) {
    return parse_integer(text).value_or(0);
}

Error differs(const Bytes& key) {
    return Error{Code::corrupt, "the model says something else of key " + printable(key)};
}

}  // namespace

void write(ByteWriter& out, const Change& change) {
    out.u8(static_cast<std::uint8_t>(change.kind));
    out.sized(change.key);
    out.sized(change.field);
    out.sized(change.value);
    out.signed_varint(change.number);
    out.varint(change.count);
}

Change read_change(ByteReader& in) {
    Change change;
    change.kind = static_cast<Kind>(in.u8());
    change.key = in.sized();
    change.field = in.sized();
    change.value = in.sized();
    change.number = in.signed_varint();
    change.count = in.varint();
    return change;
}

// --- The model's own rules

std::size_t Model::keys_count() const {
    return strings_.size() + sets_.size() + hashes_.size() + lists_.size() + sorted_.size() +
           texts_.size() + flags_.size() + multi_values_.size() + bounded_.size();
}

void Model::apply(const std::vector<Change>& changes, std::uint64_t now_ms) {
    expire(now_ms);
    for (const Change& change : changes) apply(change);
}

void Model::expire(std::uint64_t now_ms) {
    std::vector<Bytes> ended;
    for (const auto& [key, deadline_ms] : deadlines_) {
        if (deadline_ms <= now_ms) ended.push_back(key);
    }
    for (const Bytes& key : ended) remove(key);
}

void Model::remove(const Bytes& key) {
    strings_.erase(key);
    sets_.erase(key);
    hashes_.erase(key);
    lists_.erase(key);
    sorted_.erase(key);
    texts_.erase(key);
    multi_values_.erase(key);
    deadlines_.erase(key);
}

bool Model::has(const Bytes& key) const {
    return strings_.count(key) + sets_.count(key) > 0;
}

void Model::apply(const Change& change) {
    switch (change.kind) {
        case Kind::set:
            strings_[change.key] = change.value;
            deadlines_.erase(change.key);
            return;
        case Kind::increment: {
            Bytes& value = strings_[change.key];
            value = std::to_string(number_of(value) + change.number);
            return;
        }
        case Kind::remove:
            return remove(change.key);
        case Kind::expire:
            if (has(change.key)) {
                deadlines_[change.key] = static_cast<std::uint64_t>(change.number);
            }
            return;
        case Kind::persist:
            deadlines_.erase(change.key);
            return;
        case Kind::flag_enable:
            flags_.insert(change.key);
            return;
        case Kind::flag_disable:
            flags_.erase(change.key);
            return;
        case Kind::multi_value_set:
            multi_values_[change.key] = change.value;
            return;
        case Kind::bounded_increment:
            bounded_[change.key] += change.number;
            return;
        case Kind::bounded_decrement:
            bounded_[change.key] -= change.number;
            return;
        default:
            break;
    }
    apply_to_collection(change);
    apply_to_sequence(change);
}

void Model::apply_to_collection(const Change& change) {
    switch (change.kind) {
        case Kind::set_add:
            sets_[change.key].insert(change.field);
            break;
        case Kind::set_remove:
            sets_[change.key].erase(change.field);
            break;
        case Kind::hash_set:
            hashes_[change.key][change.field] = change.value;
            break;
        case Kind::hash_remove:
            hashes_[change.key].erase(change.field);
            break;
        case Kind::sorted_add:
            sorted_[change.key][change.field] = static_cast<double>(change.number);
            break;
        case Kind::sorted_increment:
            sorted_[change.key][change.field] += static_cast<double>(change.number);
            break;
        case Kind::sorted_remove:
            sorted_[change.key].erase(change.field);
            break;
        default:
            return;
    }
    // Empty collections do not exist.
    std::erase_if(sets_, [](const auto& entry) { return entry.second.empty(); });
    std::erase_if(hashes_, [](const auto& entry) { return entry.second.empty(); });
    std::erase_if(sorted_, [](const auto& entry) { return entry.second.empty(); });
}

void Model::apply_to_sequence(const Change& change) {
    const auto place = static_cast<std::ptrdiff_t>(change.number);
    switch (change.kind) {
        case Kind::list_push_front:
            lists_[change.key].insert(lists_[change.key].begin(), change.value);
            break;
        case Kind::list_push_back:
            lists_[change.key].push_back(change.value);
            break;
        case Kind::list_pop_front:
        case Kind::list_erase:
            lists_[change.key].erase(lists_[change.key].begin() + place);
            break;
        case Kind::list_set:
            lists_[change.key][static_cast<std::size_t>(change.number)] = change.value;
            break;
        case Kind::list_insert:
            lists_[change.key].insert(lists_[change.key].begin() + place, change.value);
            break;
        case Kind::text_insert: {
            std::vector<Bytes>& text = texts_[change.key];  // may be made here, and stays
            const std::vector<Bytes> points = code_points(change.value);
            text.insert(text.begin() + place, points.begin(), points.end());
            return;
        }
        case Kind::text_erase: {
            std::vector<Bytes>& text = texts_[change.key];
            text.erase(text.begin() + place,
                       text.begin() + place + static_cast<std::ptrdiff_t>(change.count));
            return;
        }
        default:
            return;
    }
    std::erase_if(lists_, [](const auto& entry) { return entry.second.empty(); });
}

// --- Drawing changes

Change Model::draw(Random& random, std::uint64_t now_ms) const {
    const Family& family = families().at(random.below(families().size()));
    Change change;
    change.kind = family.kinds[random.below(family.kinds.size())];
    change.key = Bytes(1, family.letter) +
                 std::to_string(random.below(random.below(4) > 0 ? few_keys : many_keys));
    change.field = std::to_string(random.below(random.below(4) > 0 ? few_keys : many_keys));
    switch (change.kind) {
        case Kind::set:
        case Kind::hash_set:
        case Kind::multi_value_set:
            change.value = draw_bytes(random);
            break;
        case Kind::expire:
            change.number = static_cast<std::int64_t>(now_ms + 1 + random.below(deadline_ms_max));
            break;
        case Kind::increment:
        case Kind::sorted_add:
        case Kind::sorted_increment:
            change.number = static_cast<std::int64_t>(random.below(1000)) - 500;
            break;
        case Kind::bounded_increment:
            change.number = 1 + static_cast<std::int64_t>(random.below(10));
            break;
        case Kind::bounded_decrement: {
            const auto counter = bounded_.find(change.key);
            const std::int64_t rights = counter == bounded_.end() ? 0 : counter->second;
            if (rights == 0) change.kind = Kind::bounded_increment;
            change.number = rights == 0 ? 1
                                        : 1 + static_cast<std::int64_t>(
                                                  random.below(static_cast<std::uint64_t>(rights)));
            break;
        }
        default:
            break;
    }
    if (family.letter == 'l') return draw_for_list(random, std::move(change));
    if (family.letter == 't') return draw_for_text(random, std::move(change));
    return change;
}

Change Model::draw_for_list(Random& random, Change change) const {
    const auto list = lists_.find(change.key);
    change.value = draw_bytes(random);
    const bool pushes = change.kind == Kind::list_push_front || change.kind == Kind::remove;
    if (list == lists_.end() && !pushes) change.kind = Kind::list_push_back;
    const bool has_place = change.kind == Kind::list_set || change.kind == Kind::list_insert ||
                           change.kind == Kind::list_erase;
    if (has_place) change.number = static_cast<std::int64_t>(random.below(list->second.size()));
    return change;
}

Change Model::draw_for_text(Random& random, Change change) const {
    const auto text = texts_.find(change.key);
    const std::uint64_t length = text == texts_.end() ? 0 : text->second.size();
    if (change.kind == Kind::text_erase && length == 0) change.kind = Kind::text_insert;
    if (change.kind == Kind::text_erase) {
        const std::uint64_t place = random.below(length);
        change.number = static_cast<std::int64_t>(place);
        change.count = 1 + random.below(std::min<std::uint64_t>(length - place, 10));
    }
    if (change.kind == Kind::text_insert) {
        // Mostly where one types: at the end.
        change.number =
            static_cast<std::int64_t>(random.below(3) > 0 ? length : random.below(length + 1));
        change.value = draw_text(random);
    }
    return change;
}

// --- What the engine says

Result<void> Model::compare(Transaction& txn) {
    expire(txn.now_ms());
    for (const auto& [key, value] : strings_) {
        SYNCLINE_TRY(const std::optional<Bytes> found, operations::string_get(txn, key));
        if (found != value) return differs(key);
    }
    for (const Bytes& key : flags_) {
        SYNCLINE_TRY(const bool found, operations::flag_enabled(txn, key));
        if (!found) return differs(key);
    }
    for (const auto& [key, value] : multi_values_) {
        SYNCLINE_TRY(const auto found, operations::multi_value_get(txn, key));
        if (found.size() != 1 || found.front().payload.value != value) return differs(key);
    }
    for (const auto& [key, value] : bounded_) {
        SYNCLINE_TRY(const BoundedCounter found, operations::bounded_read(txn, key));
        if (found.value() != value) return differs(key);
    }
    for (const auto& [key, deadline_ms] : deadlines_) {
        SYNCLINE_TRY(const auto found, operations::key_deadline(txn, key));
        if (found != deadline_ms) return differs(key);
    }
    SYNCLINE_CHECK(compare_collections(txn));
    SYNCLINE_CHECK(compare_sequences(txn));
    return compare_keys(txn);
}

Result<void> Model::compare_collections(Transaction& txn) const {
    for (const auto& [key, members] : sets_) {
        SYNCLINE_TRY(const std::vector<Bytes> found, operations::set_members(txn, key));
        if (std::set<Bytes>(found.begin(), found.end()) != members) return differs(key);
    }
    for (const auto& [key, fields] : hashes_) {
        SYNCLINE_TRY(const auto found, operations::hash_all(txn, key));
        if (std::map<Bytes, Bytes>(found.begin(), found.end()) != fields) return differs(key);
    }
    for (const auto& [key, members] : sorted_) {
        std::vector<std::pair<double, Bytes>> expected;
        for (const auto& [member, score] : members) expected.emplace_back(score, member);
        std::sort(expected.begin(), expected.end());
        std::vector<std::pair<double, Bytes>> found;
        SYNCLINE_CHECK(operations::sorted_scan(txn, key, ScoreRange{}, WalkOrder::ascending,
                                               [&found](BytesView member, double score) {
                                                   found.emplace_back(score, member);
                                                   return true;
                                               }));
        if (found != expected) return differs(key);
    }
    return {};
}

Result<void> Model::compare_sequences(Transaction& txn) const {
    for (const auto& [key, values] : lists_) {
        SYNCLINE_TRY(const std::vector<Bytes> found, operations::list_range(txn, key, 0, -1));
        if (found != values) return differs(key);
    }
    for (const auto& [key, points] : texts_) {
        SYNCLINE_TRY(const Text* const found, operations::text_get(txn, key));
        Bytes expected;
        for (const Bytes& point : points) expected += point;
        if (found == nullptr || found->text() != expected) return differs(key);
    }
    return {};
}

/// That there is nothing else.
Result<void> Model::compare_keys(Transaction& txn) const {
    std::size_t count = 0;
    std::uint64_t cursor = 0;
    do {
        SYNCLINE_TRY(cursor, txn.scan_keys(cursor, 1000, [&count](BytesView, CellType) {
            ++count;
            return true;
        }));
    } while (cursor != 0);
    if (count == keys_count()) return {};
    return Error{Code::corrupt, "there are " + std::to_string(count) + " keys, and " +
                                    std::to_string(keys_count()) + " in the model"};
}

}  // namespace syncline::powercut
