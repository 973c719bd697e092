// LCS: what two strings have in common.
#include <algorithm>
#include <limits>

#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/fields.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

/// Pairs of bytes that may be looked at: some 30 ms, and 64 MiB.
constexpr std::uint64_t pairs_max = std::uint64_t{16} * 1024 * 1024;

/// For each two beginnings of two strings, how long a subsequence they have in common. By dynamic
/// programming: O(product of the lengths).
class CommonLengths {
public:
    CommonLengths(BytesView a, BytesView b)
        : columns_(b.size() + 1), lengths_((a.size() + 1) * columns_, 0) {
        for (std::size_t i = 1; i <= a.size(); ++i) {
            for (std::size_t j = 1; j <= b.size(); ++j) {
                lengths_[i * columns_ + j] = a[i - 1] == b[j - 1]
                                                 ? at(i - 1, j - 1) + 1
                                                 : std::max(at(i - 1, j), at(i, j - 1));
            }
        }
    }
    [[nodiscard]] std::uint32_t at(std::size_t i, std::size_t j) const {
        return lengths_[i * columns_ + j];
    }

private:
    std::size_t columns_;
    std::vector<std::uint32_t> lengths_;
};

/// Equal parts of both strings: from these indexes on, so many bytes.
struct Match {
    std::size_t a = 0;
    std::size_t b = 0;
    std::size_t length = 0;
};

/// One of the longest common subsequences as matches, from the back. Of several the one that goes
/// on in the first string as long as that costs nothing.
std::vector<Match> matches_of(BytesView a, BytesView b, const CommonLengths& lengths) {
    std::vector<Match> matches;
    bool goes_on = false;
    std::size_t i = a.size();
    std::size_t j = b.size();
    while (i > 0 && j > 0) {
        if (a[i - 1] == b[j - 1]) {
            --i;
            --j;
            if (!goes_on) matches.push_back(Match{});
            Match& match = matches.back();
            match = Match{i, j, match.length + 1};
            goes_on = true;
            continue;
        }
        goes_on = false;
        if (lengths.at(i - 1, j) > lengths.at(i, j - 1)) {
            --i;
        } else {
            --j;
        }
    }
    return matches;
}

struct LcsOptions {
    bool length = false;
    bool indexes = false;
    bool match_lengths = false;
    std::uint64_t match_length_min = 0;
};

/// Nothing, and the error is written: the options are none. Error invalid_argument: a number is
/// none.
Result<std::optional<LcsOptions>> parse_lcs(CommandContext& context) {
    LcsOptions options;
    for (std::size_t i = 3; i < context.count(); ++i) {
        const auto is_it = [&](BytesView name) { return equal_nocase(context.argument(i), name); };
        if (is_it("idx")) {
            options.indexes = true;
        } else if (is_it("len")) {
            options.length = true;
        } else if (is_it("withmatchlen")) {
            options.match_lengths = true;
        } else if (is_it("minmatchlen") && i + 1 < context.count()) {
            SYNCLINE_TRY(const std::int64_t length, integer_argument(context.argument(++i)));
            options.match_length_min =
                static_cast<std::uint64_t>(std::max<std::int64_t>(length, 0));
        } else {
            context.reply.error(error_text::syntax);
            return std::optional<LcsOptions>();
        }
    }
    if (options.indexes && options.length) {
        context.reply.error("ERR If you want both the length and indexes, please just use IDX.");
        return std::optional<LcsOptions>();
    }
    return std::optional(options);
}

/// A string, empty when there is none. Nothing, and the error is written: it is of another type.
Result<std::optional<Bytes>> string_argument(CommandContext& context, std::size_t index) {
    Result<std::optional<Bytes>> value =
        operations::string_get(context.txn(), context.argument(index));
    if (!value && value.error().code == Code::wrong_type) {
        context.reply.error("ERR The specified keys must contain string values");
        return std::optional<Bytes>();
    }
    SYNCLINE_CHECK(value);
    return std::optional(std::move(*value).value_or(Bytes()));
}

void reply_range(RespWriter& reply, std::size_t first, std::size_t length) {
    reply.array(2);
    reply.integer(static_cast<std::int64_t>(first));
    reply.integer(static_cast<std::int64_t>(first + length - 1));
}

void reply_indexes(RespWriter& reply, std::vector<Match> matches, std::uint32_t length,
                   const LcsOptions& options) {
    std::erase_if(matches,
                  [&](const Match& match) { return match.length < options.match_length_min; });
    reply.map(2);
    reply.bulk("matches");
    reply.array(matches.size());
    for (const Match& match : matches) {
        reply.array(options.match_lengths ? 3 : 2);
        reply_range(reply, match.a, match.length);
        reply_range(reply, match.b, match.length);
        if (options.match_lengths) reply.integer(static_cast<std::int64_t>(match.length));
    }
    field(reply, "len", length);
}

Result<void> lcs_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<Bytes> a, string_argument(context, 1));
    if (!a) return {};
    SYNCLINE_TRY(const std::optional<Bytes> b, string_argument(context, 2));
    if (!b) return {};
    SYNCLINE_TRY(const std::optional<LcsOptions> options, parse_lcs(context));
    if (!options) return {};
    if ((a->size() + 1) * (b->size() + 1) > pairs_max) {
        return Error{Code::limit, "the lengths of the strings multiply to more than " +
                                      std::to_string(pairs_max)};
    }
    const CommonLengths lengths(*a, *b);
    const std::uint32_t length = lengths.at(a->size(), b->size());
    if (options->length) {
        context.reply.integer(length);
        return {};
    }
    std::vector<Match> matches = matches_of(*a, *b, lengths);
    if (options->indexes) {
        reply_indexes(context.reply, std::move(matches), length, *options);
        return {};
    }
    Bytes common;
    for (auto match = matches.rbegin(); match != matches.rend(); ++match) {
        common += BytesView(*a).substr(match->a, match->length);
    }
    context.reply.bulk(common);
    return {};
}

// clang-format off
constexpr Command commands[] = {
    {"lcs", -3, flag::readonly, {1, 2, 1}, "string", "7.0.0",
     "O(N * M) with N and M bytes of the strings",
     "Returns the longest common subsequence of two strings", lcs_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> lcs_commands() {
    return commands;
}

}  // namespace syncline
