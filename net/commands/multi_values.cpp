// MV.*: registers that keep all concurrent values until somebody who has read them writes.
#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/fields.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

/// A version vector as clients carry it from MV.GET to MV.SET.
Bytes context_text(const VersionVector& vv) {
    Bytes bytes;
    ByteWriter out(bytes);
    write(out, vv);
    return to_hex(bytes);
}

std::optional<VersionVector> context_from(BytesView text) {
    const std::optional<Bytes> bytes = from_hex(text);
    if (!bytes) return std::nullopt;
    ByteReader in(*bytes);
    VersionVector vv = read_version_vector(in);
    if (!in.done()) return std::nullopt;
    return vv;
}

Result<void> set_command(CommandContext& context) {
    std::optional<VersionVector> seen;
    if (context.count() != 3) {
        if (context.count() != 5 || !equal_nocase(context.argument(3), "context")) {
            context.reply.error(error_text::syntax);
            return {};
        }
        seen = context_from(context.argument(4));
        if (!seen) {
            context.reply.error("ERR CONTEXT takes what MV.GET answered as context");
            return {};
        }
    }
    const Result<void> done = operations::multi_value_set(
        context.txn(), context.argument(1), context.argument(2), seen ? &*seen : nullptr);
    if (!done && done.error().code == Code::conflict) {
        context.reply.error("CONFLICT another value has come since the context was read");
        return {};
    }
    SYNCLINE_CHECK(done);
    context.reply.simple("OK");
    return {};
}

Result<void> get_command(CommandContext& context) {
    SYNCLINE_TRY(const std::vector<DotMap::Entry> values,
                 operations::multi_value_get(context.txn(), context.argument(1)));
    if (values.empty()) {
        context.reply.null();
        return {};
    }
    context.reply.map(2);
    field(context.reply, "context", context_text(context.txn().group().vv()));
    context.reply.bulk("values");
    context.reply.array(values.size());
    for (const DotMap::Entry& value : values) context.reply.bulk(value.payload.value);
    return {};
}

constexpr BytesView group = "multi-value";
constexpr BytesView since = "0.1.0";
constexpr KeyPositions one_key{1, 1, 1};

// clang-format off
constexpr Command commands[] = {
    {"mv.get", 2, flag::readonly | flag::fast, one_key, group, since, "O(N) with N values",
     "Returns all concurrent values, the latest first, and a context to replace them with",
     get_command, {}},
    {"mv.set", -3, flag::write | flag::denyoom | flag::fast, one_key, group, since, "O(1)",
     "Replaces all values that are seen, or exactly those of a context", set_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> multi_value_commands() {
    return commands;
}

}  // namespace syncline
