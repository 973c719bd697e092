// Texts in a group. A generation is there as long as its cell is; its rows follow.
#include <algorithm>

#include "core/engine/group.hpp"

namespace syncline {

Result<std::optional<Dot>> Group::text_generation(BytesView key) {
    std::optional<DotMap::Entry> latest;
    const auto visit = [&](BytesView, const Cell& cell) {
        const DotMap::Entry* const made = cell.dots.winner();
        const auto order = [](const DotMap::Entry& entry) {
            return std::pair(entry.payload.hlc, entry.dot.actor);
        };
        if (made != nullptr && (!latest || order(*latest) < order(*made))) latest = *made;
        return true;
    };
    SYNCLINE_CHECK(scan_cells(key, CellType::text, visit));
    return latest ? std::optional(latest->dot) : std::nullopt;
}

Result<bool> Group::has_generation(const TextName& name) {
    const Bytes field = generation_field(name.generation);
    SYNCLINE_TRY(const Cell made, cell(name.key, CellType::text, BytesView(field)));
    return made.live();
}

/// Makes the edits of an event on the loaded texts, so that an event which cannot be taken in is
/// found out before anything has changed. Rows follow when it is applied.
Result<void> Group::edit_texts(const Event& event) {
    if (texts_.editing() == event.dot) return {};  // a local transaction has made them
    texts_.discard();
    for (const Op& op : event.ops) {
        const auto* const edit = std::get_if<TextEdit>(&op);
        if (edit == nullptr || frozen(edit->key)) continue;
        if (edit->generation != event.dot && !event.past.covers(edit->generation)) {
            return Error{Code::corrupt,
                         "event " + to_string(event.dot) + " edits a text it has not seen"};
        }
        const Result<void> edited = edit_text(*edit, event);
        if (edited) continue;
        // Either the event makes no sense, or the rows that it is made on are damaged.
        SYNCLINE_CHECK(verify_bucket(bucket_of(edit->key)));
        if (frozen(edit->key)) continue;
        texts_.discard();
        // Rows of the base that the next checkpoint takes away. The event may come again after it.
        SYNCLINE_CHECK(trust_bucket(bucket_of(edit->key)));
        return edited;
    }
    return {};
}

Result<void> Group::edit_text(const TextEdit& edit, const Event& event) {
    const TextName name{edit.key, edit.generation};
    if (edit.generation != event.dot) {
        SYNCLINE_TRY(const bool there, has_generation(name));
        if (!there) return {};
    }
    for (const TextOp& change : edit.edits) {
        SYNCLINE_CHECK(texts_.edit(name, change, event.dot));
    }
    return {};
}

Result<void> Group::write_text(const TextEdit& edit, Position position) {
    const TextName name{edit.key, edit.generation};
    SYNCLINE_TRY(const bool there, has_generation(name));
    if (there) return texts_.write(name, position);
    texts_.discard(name);
    return {};
}

Result<void> Group::find_lost_edits(const RowKey& row_key, const RowName& name,
                                    const Event& event) {
    SYNCLINE_TRY(const Text* const text,
                 texts_.find(TextName{name.key, generation_from(*name.field).value()}));
    for (const Text::Insertions& lost : text->unseen(event.past)) {
        finder_->on_lost_edit(row_key, name, lost.latest, lost.live, event);
    }
    return {};
}

Result<Group::PeerTexts> Group::peer_texts(const std::map<Bytes, std::optional<Bytes>>& rows) {
    // What the peer has in place of the base's rows, by text.
    std::map<TextName, std::map<Bytes, std::optional<BytesView>>> changed;
    for (const auto& [row_key, value] : rows) {
        if (damaged_.contains(static_cast<std::uint32_t>(leaf_sums_.bucket(row_key)))) continue;
        SYNCLINE_TRY(const std::optional<Bytes> base, store_.get_base(Table::cells, row_key));
        if (!value && !base) continue;
        SYNCLINE_TRY(const Row row, decode_row(row_key, value ? *value : *base));
        if (row.name.type != text_row_type) continue;
        SYNCLINE_TRY(const TextRowPlace place,
                     read_text_row_place(row.name.field.value_or(Bytes())));
        changed[TextName{row.name.key, place.generation}].emplace(row_key, value);
    }
    PeerTexts texts;
    for (auto& [name, theirs] : changed) {
        const RowRange range = Texts::rows_of(name);
        std::map<Bytes, Bytes> base;
        SYNCLINE_CHECK(store_.scan_base(Table::cells, range.first, range.last,
                                        [&](BytesView row_key, BytesView value) {
                                            base.emplace(row_key, value);
                                            return true;
                                        }));
        for (const auto& [row_key, value] : theirs) {
            base.erase(row_key);
            if (value) base.emplace(row_key, *value);
        }
        std::vector<Text::Row> text_rows;
        for (const auto& [row_key, value] : base) {
            SYNCLINE_TRY(const Row row, decode_row(row_key, value));
            SYNCLINE_TRY(const TextRowPlace place,
                         read_text_row_place(row.name.field.value_or(Bytes())));
            text_rows.emplace_back(place.name, Bytes(row.payload));
        }
        SYNCLINE_TRY(Text text, Text::load(text_rows));
        texts.emplace_back(name, std::move(text));
    }
    return texts;
}

/// A generation that the peer has removed is gone here as well by now, its cell's join saw to that.
/// One that this replica removed, and the peer still has, has no cell either.
Result<void> Group::join_texts(const PeerTexts& texts, Position position) {
    const TakingIn here(*this);
    texts_.discard();
    for (const auto& [name, theirs] : texts) {
        if (frozen(name.key)) continue;
        const Result<bool> there = has_generation(name);
        Result<void> joined = there ? Result<void>() : there.error();
        if (there && *there) joined = texts_.join(name, theirs, position);
        SYNCLINE_CHECK(absorb_damage(name.key, joined));
    }
    texts_.finish();
    return {};
}

/// Each text has its generation, its rows are those of a text, and nothing else.
Result<void> Group::check_texts(std::map<TextName, std::vector<Text::Row>> texts,
                                const std::set<TextName>& generations) {
    for (auto& [name, rows] : texts) {
        std::sort(rows.begin(), rows.end());
        const std::string subject =
            "text " + to_string(name.generation) + " of key " + printable(name.key);
        if (!generations.contains(name)) return Error{Code::corrupt, subject + " was removed"};
        SYNCLINE_TRY(const Text text, Text::load(rows));
        text.check_invariants();
        SYNCLINE_TRY(const Text* const loaded, texts_.find(name));
        for (const Text* const value : {&text, loaded}) {
            const std::vector<TextRowName> names = value->rows();
            const bool same =
                std::equal(names.begin(), names.end(), rows.begin(), rows.end(),
                           [&](const TextRowName& row_name, const Text::Row& row) {
                               return row_name == row.first && value->row(row_name) == row.second;
                           });
            if (!same) return Error{Code::corrupt, subject + " differs from its rows"};
        }
    }
    return {};
}

}  // namespace syncline
