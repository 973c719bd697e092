#include "core/engine/texts.hpp"

#include <algorithm>
#include <vector>

#include "core/base/limits.hpp"

namespace syncline {
namespace {

/// A loaded text: its own structures, and for each character ever inserted its place in them. As
/// measured with recorded texts, rounded up.
constexpr std::size_t text_bytes = 4096;
constexpr std::size_t element_bytes = 24;

RowKey row_key_of(const TextName& name, const TextRowName& row) {
    const Bytes field = text_row_field(TextRowPlace{name.generation, row});
    return encode_row_key(name.key, text_row_type, field);
}

}  // namespace

RowRange Texts::rows_of(const TextName& name) {
    RowRange range;
    range.first = order_rows_prefix(name.key, text_row_type) + generation_field(name.generation);
    range.last = prefix_end(range.first);
    return range;
}

Result<Texts::Loaded*> Texts::load(const TextName& name) {
    const auto known = loaded_.find(name);
    if (known != loaded_.end()) {
        known->second.used = ++uses_;
        return &known->second;
    }
    std::vector<Text::Row> rows;
    Result<void> status;
    const RowRange range = rows_of(name);
    const auto visit = [&](BytesView row_key, BytesView value) {
        const auto read = [&]() -> Result<void> {
            SYNCLINE_TRY(const Row row, decode_row(row_key, value));
            SYNCLINE_TRY(const TextRowPlace place,
                         read_text_row_place(row.name.field.value_or(Bytes())));
            rows.emplace_back(place.name, Bytes(row.payload));
            return {};
        };
        status = read();
        return status.has_value();
    };
    SYNCLINE_CHECK(store_.scan(Table::cells, range.first, range.last, visit));
    SYNCLINE_CHECK(status);
    Loaded loaded;
    if (!rows.empty()) {
        SYNCLINE_TRY(loaded.text, Text::load(rows));
    }
    loaded.changed = store_.seen();
    loaded.used = ++uses_;
    Loaded& entry = loaded_.emplace(name, std::move(loaded)).first->second;
    measure(entry);
    return &entry;
}

Result<const Text*> Texts::find(const TextName& name) {
    SYNCLINE_TRY(const Loaded* const loaded, load(name));
    store_.see(loaded->changed);
    return &loaded->text;
}

Result<void> Texts::edit(const TextName& name, const TextOp& op, const Dot& dot) {
    if (editing_ != dot) discard();
    SYNCLINE_TRY(Loaded* const loaded, load(name));
    SYNCLINE_CHECK(loaded->text.apply(op, dot));
    editing_ = dot;
    edited_.insert(name);
    const std::vector<TextRowName> rows = loaded->text.rows_of(op);
    loaded->edited.insert(rows.begin(), rows.end());
    return {};
}

void Texts::discard() {
    while (!edited_.empty()) discard(*edited_.begin());
    editing_.reset();
}

/// What was edited is read from its rows again when it is needed: an edit has no way back.
void Texts::discard(const TextName& name) {
    const TextName own = name;  // the name may stand in what goes
    if (edited_.erase(own) > 0) forget(loaded_.find(own));
}

void Texts::forget(std::map<TextName, Loaded>::iterator entry) {
    bytes_ -= entry->second.bytes;
    loaded_.erase(entry);
}

void Texts::forget_if(const std::function<bool(const TextName&)>& which) {
    for (auto entry = loaded_.begin(); entry != loaded_.end();) {
        const auto next = std::next(entry);
        if (which(entry->first)) {
            edited_.erase(entry->first);
            forget(entry);
        }
        entry = next;
    }
}

void Texts::measure(Loaded& loaded) {
    bytes_ -= loaded.bytes;
    loaded.bytes = text_bytes + element_bytes * loaded.text.elements_count();
    bytes_ += loaded.bytes;
}

Result<void> Texts::put_row(const TextName& name, const Text& text, const TextRowName& row,
                            Position position) {
    const RowKey row_key = row_key_of(name, row);
    SYNCLINE_TRY(const std::optional<Bytes> before, store_.get(Table::cells, row_key.bytes));
    Bytes value = text.row(row);
    if (row_key.hashed) {
        const Bytes field = text_row_field(TextRowPlace{name.generation, row});
        value = encode_row_value(row_key, name.key, BytesView(field), value);
    }
    if (before == value) return {};
    if (before) leaf_sums_.remove(row_key.bytes, *before);
    leaf_sums_.add(row_key.bytes, value);
    store_.put(Table::cells, row_key.bytes, std::move(value), position);
    return {};
}

Result<void> Texts::write(const TextName& name, Position position) {
    if (edited_.erase(name) == 0) return {};
    Loaded& loaded = loaded_.at(name);
    for (const TextRowName& row : loaded.edited) {
        SYNCLINE_CHECK(put_row(name, loaded.text, row, position));
    }
    loaded.edited.clear();
    loaded.changed = position;
    measure(loaded);
    return {};
}

void Texts::finish() {
    SYNCLINE_ASSERT(edited_.empty());
    editing_.reset();
    while (bytes_ > limits::texts_bytes_max && loaded_.size() > 1) {
        forget(std::min_element(loaded_.begin(), loaded_.end(), [](const Entry& a, const Entry& b) {
            return a.second.used < b.second.used;
        }));
    }
}

Result<void> Texts::join(const TextName& name, const Text& theirs, Position position) {
    SYNCLINE_TRY(Loaded* const loaded, load(name));
    SYNCLINE_CHECK(loaded->text.join(theirs));
    for (const TextRowName& row : loaded->text.rows()) {
        SYNCLINE_CHECK(put_row(name, loaded->text, row, position));
    }
    loaded->changed = position;
    measure(*loaded);
    return {};
}

Result<void> Texts::remove(const TextName& name, Position position) {
    discard(name);
    const auto known = loaded_.find(name);
    if (known != loaded_.end()) forget(known);
    const RowRange range = rows_of(name);
    std::vector<std::pair<Bytes, Bytes>> rows;
    SYNCLINE_CHECK(
        store_.scan(Table::cells, range.first, range.last, [&](BytesView key, BytesView value) {
            rows.emplace_back(Bytes(key), Bytes(value));
            return true;
        }));
    for (const auto& [row_key, value] : rows) {
        leaf_sums_.remove(row_key, value);
        store_.erase(Table::cells, row_key, position);
    }
    return {};
}

}  // namespace syncline
