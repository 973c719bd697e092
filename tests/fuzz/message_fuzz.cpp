/// Everything a peer can send after the handshake: messages, and the events inside batches. The
/// first byte chooses the message type; 0 decodes an event alone, 1 a carried message, 2 rows of a
/// text, each after its length.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/base/hash.hpp"
#include "core/engine/event.hpp"
#include "core/engine/event_head.hpp"
#include "core/protocol/exchange.hpp"
#include "core/protocol/message.hpp"
#include "crdt/text.hpp"
#include "storage/tables.hpp"

namespace {

void check(bool condition) {
    if (!condition) std::abort();
}

void fuzz_event(syncline::BytesView bytes) {
    const auto event = syncline::decode_event(bytes);
    if (!event) return;
    const auto again = syncline::decode_event(syncline::encode_event(*event));
    check(again.has_value() && *again == *event);
}

/// Items of one stream: an error, or events that would be shortened to these bytes again.
void fuzz_batch(const syncline::LogBatch& batch) {
    syncline::EventHeads receiver;
    syncline::EventHeads sender;
    for (const auto& item : batch.items) {
        const auto event = receiver.restore(item.payload);
        if (!event) return;
        check(sender.shorten(*event).value() == item.payload);
        fuzz_event(*event);
    }
}

/// The checksum is made good, or nothing would get past it.
void fuzz_carried(syncline::BytesView bytes) {
    syncline::Bytes whole("SLX1");
    whole += bytes;
    syncline::ByteWriter(whole).u64(syncline::hash64(whole));
    const auto message = syncline::decode_carried(whole);
    if (!message) return;
    const auto again = syncline::decode_carried(syncline::encode_carried(*message));
    check(again.has_value() && *again == *message);
}

/// Whatever the bytes are: an error, or a text whose rows are these bytes again.
void fuzz_text(syncline::BytesView bytes) {
    syncline::ByteReader in(bytes);
    std::vector<syncline::Text::Row> rows;
    while (in.ok() && in.left() > 0) {
        const auto name = syncline::read_text_row_name(in.sized());
        const syncline::BytesView row = in.sized();
        if (!in.ok() || !name) return;
        rows.emplace_back(*name, syncline::Bytes(row));
    }
    const auto text = syncline::Text::load(rows);
    if (!text) return;
    text->check_invariants();
    std::sort(rows.begin(), rows.end());
    const std::vector<syncline::TextRowName> names = text->rows();
    check(names.size() == rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        check(names[i] == rows[i].first && text->row(names[i]) == rows[i].second);
    }
}

void fuzz_rows(const syncline::SessionRows& rows) {
    for (const syncline::SessionRows::Item& item : rows.rows) {
        const auto row = syncline::decode_row(item.key, item.value);
        if (!row) continue;
        if (row->name.type == syncline::text_row_type) {
            const auto place =
                syncline::read_text_row_place(row->name.field.value_or(syncline::Bytes()));
            if (place) (void)syncline::check_text_row(place->name, row->payload);
        }
        if (const auto type = syncline::cell_type_from(row->name.type)) {
            (void)syncline::read_cell(row->payload, *type);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const syncline::BytesView bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] == 0) {
        fuzz_event(bytes);
        return 0;
    }
    if (data[0] == 1) {
        fuzz_carried(bytes);
        return 0;
    }
    if (data[0] == 2) {
        fuzz_text(bytes);
        return 0;
    }
    const auto message = syncline::decode_message(data[0], bytes);
    if (!message) return 0;
    const auto type = static_cast<std::uint8_t>(syncline::message_type(*message));
    const auto again = syncline::decode_message(type, syncline::encode_message(*message));
    check(again.has_value() && *again == *message);
    if (const auto* batch = std::get_if<syncline::LogBatch>(&*message)) fuzz_batch(*batch);
    if (const auto* rows = std::get_if<syncline::SessionRows>(&*message)) fuzz_rows(*rows);
    return 0;
}
