#include "core/engine/resubmission.hpp"

#include <algorithm>

#include "core/base/hash.hpp"
#include "core/base/limits.hpp"
#include "crdt/bounded_counter.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t lost_version = 1;
constexpr std::size_t lost_checksum_bytes = 8;

Error no_lost_transaction() {
    return Error{Code::corrupt, "the lost transaction is damaged"};
}

/// Of a bounded counter's row, what its writer has added in all.
std::optional<std::uint64_t> rights_in_all(const CellOp& op) {
    if (op.type != CellType::bounded_counter || !op.delta.value) return std::nullopt;
    return rights_from_bytes(*op.delta.value);
}

/// Whether it matters who has seen a write.
bool matters_who_saw(const CellOp& op) {
    const bool type = op.type == CellType::multi_value || op.type == CellType::expiry;
    return type && op.delta.value.has_value();
}

}  // namespace

const CounterEntry* own_increments(const CellOp& op, const Dot& dot) {
    const auto own = std::find_if(
        op.delta.counter.begin(), op.delta.counter.end(), [&](const Counter::Entry& entry) {
            return entry.first == dot.actor && entry.second.last == dot.counter;
        });
    return own == op.delta.counter.end() ? nullptr : &own->second;
}

Bytes encode_lost_transaction(const LostTransaction& lost) {
    Bytes body;
    Packer out(body);
    out.array(4);
    out.uint(lost_version);
    pack(out, lost.cluster);
    out.bin(encode_event(lost.event));
    out.array(lost.before.size());
    for (const auto& [index, amount] : lost.before) {
        out.array(4);
        out.uint(index);
        out.sint(static_cast<std::int64_t>(amount.integer));
        pack(out, amount.decimal);
    }
    Bytes bytes;
    ByteWriter(bytes).u64(hash64(body));
    return bytes + body;
}

Result<LostTransaction> decode_lost_transaction(BytesView bytes) {
    ByteReader reader(bytes);
    const std::uint64_t checksum = reader.u64();
    const BytesView body = reader.raw(reader.left());
    if (bytes.size() < lost_checksum_bytes || checksum != hash64(body)) {
        return no_lost_transaction();
    }
    Unpacker in(body);
    in.array_of(4);
    if (const std::uint64_t version = in.uint(); in.ok() && version != lost_version) {
        return Error{Code::version, "the lost transaction is of format " + std::to_string(version) +
                                        ", this build knows " + std::to_string(lost_version)};
    }
    LostTransaction lost;
    lost.cluster = unpack_uuid(in);
    const BytesView event = in.bin();
    const std::size_t befores = in.array();
    for (std::size_t i = 0; i < befores && in.ok(); ++i) {
        in.array_of(4);
        const std::uint64_t index = in.uint();
        const auto integer = static_cast<std::uint64_t>(in.sint());
        lost.before[index] = Amount(integer, unpack_decimal(in));
    }
    if (!in.done()) return no_lost_transaction();
    SYNCLINE_TRY(lost.event, decode_event(event));
    return lost;
}

std::map<std::uint64_t, Amount> AmountsBefore::next(const Event& event) {
    std::map<std::uint64_t, Amount> before;
    for (std::size_t index = 0; index < event.ops.size(); ++index) {
        const auto* const op = std::get_if<CellOp>(&event.ops[index]);
        if (op == nullptr) continue;
        Sum now;
        if (const CounterEntry* const own = own_increments(*op, event.dot)) {
            now = Sum{own->genesis, own->sum};
        } else if (const std::optional<std::uint64_t> rights = rights_in_all(*op)) {
            now = Sum{0, Amount(*rights)};
        } else {
            continue;
        }
        const Name name{op->key, op->type, op->field, event.dot.actor};
        const auto [known, first] = sums_.try_emplace(name, now);
        if (!first && known->second.genesis == now.genesis) before[index] = known->second.sum;
        known->second = now;
    }
    return before;
}

std::string_view to_string(Resubmitted::Outcome outcome) {
    switch (outcome) {
        case Resubmitted::Outcome::done:
            return "done";
        case Resubmitted::Outcome::present:
            return "present";
        case Resubmitted::Outcome::nothing:
            break;
    }
    return "nothing";
}

Bytes encode_resubmitted(const Resubmitted& resubmitted) {
    Bytes bytes;
    Packer out(bytes);
    out.array(3);
    out.uint(static_cast<std::uint64_t>(resubmitted.outcome));
    out.array(resubmitted.dot ? 3 : 0);
    if (resubmitted.dot) pack(out, *resubmitted.dot);
    pack(out, resubmitted.names);
    return bytes;
}

Result<Resubmitted> decode_resubmitted(BytesView bytes) {
    Resubmitted resubmitted;
    Unpacker in(bytes);
    in.array_of(3);
    resubmitted.outcome = static_cast<Resubmitted::Outcome>(
        in.uint_at_most(static_cast<std::uint64_t>(Resubmitted::Outcome::present)));
    const std::size_t numbers = in.array();
    if (numbers != 0 && numbers != 3) in.fail();
    if (in.ok() && numbers != 0) resubmitted.dot = unpack_dot(in);
    resubmitted.names = unpack_text_names(in);
    if (!in.done()) return Error{Code::corrupt, "what became of a lost transaction is damaged"};
    return resubmitted;
}

Bytes encode_resubmitted_past(const ResubmittedPast& past) {
    Bytes bytes;
    Packer out(bytes);
    out.array(2);
    out.array(3 * past.seen.size());
    for (const Dot& dot : past.seen) pack(out, dot);
    pack(out, past.names);
    return bytes;
}

Result<ResubmittedPast> decode_resubmitted_past(BytesView bytes) {
    ResubmittedPast past;
    Unpacker in(bytes);
    in.array_of(2);
    std::size_t numbers = in.array();
    if (numbers % 3 != 0) in.fail();
    for (; in.ok() && numbers > 0; numbers -= 3) past.seen.insert(unpack_dot(in));
    past.names = unpack_text_names(in);
    if (!in.done()) return Error{Code::corrupt, "the past of a lost transaction is damaged"};
    return past;
}

void ResubmissionHistory::note(const Event& event, const Resubmitted& resubmitted) {
    names_.join(resubmitted.names);
    if (!resubmitted.dot) return;
    for (const Op& op : event.ops) {
        const auto* const cell = std::get_if<CellOp>(&op);
        if (cell == nullptr || !matters_who_saw(*cell)) continue;
        writes_.insert_or_assign(std::pair(cell->key, cell->type), *resubmitted.dot);
    }
}

ResubmittedPast ResubmissionHistory::past_of(const Event& event) const {
    ResubmittedPast past;
    const auto see = [&](const Bytes& key, CellType type) {
        const auto written = writes_.find(std::pair(key, type));
        if (written != writes_.end()) past.seen.insert(written->second);
    };
    for (const Op& op : event.ops) {
        if (const auto* const edit = std::get_if<TextEdit>(&op)) past.names.join(names_.of(*edit));
        if (const auto* const key = std::get_if<ClearKey>(&op)) see(key->key, CellType::expiry);
        const auto* const cell = std::get_if<CellOp>(&op);
        if (cell != nullptr && matters_who_saw(*cell)) see(cell->key, cell->type);
    }
    return past;
}

}  // namespace syncline
