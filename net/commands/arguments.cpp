#include "net/commands/arguments.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>

#include "core/base/limits.hpp"
#include "net/commands/errors.hpp"

namespace syncline {
namespace {

char lower(char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
}

}  // namespace

std::string wall_time(std::uint64_t ms) {
    const auto seconds = static_cast<std::time_t>(ms / 1000);
    std::tm time{};
    char text[32];
    if (gmtime_r(&seconds, &time) == nullptr) return {};
    const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &time);
    std::string fraction = std::to_string(ms % 1000);
    fraction.insert(0, 3 - fraction.size(), '0');
    return std::string(text, length) + "." + fraction + "Z";
}

Bytes lower(BytesView text) {
    Bytes lowered(text);
    for (char& byte : lowered) byte = lower(byte);
    return lowered;
}

std::vector<BytesView> split_words(BytesView text) {
    std::vector<BytesView> words;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        words.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

bool equal_nocase(BytesView a, BytesView b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

Result<std::int64_t> integer_argument(BytesView text) {
    if (const std::optional<std::int64_t> number = parse_integer(text)) return *number;
    return Error{Code::invalid_argument, "an argument is not an integer"};
}

std::optional<Decimal> decimal_argument(RespWriter& reply, const Bytes& text, BytesView infinite) {
    const std::optional<Decimal> decimal = Decimal::parse(text);
    if (decimal) return decimal;
    double number = 0;
    const char* const end = text.data() + text.size();
    const char* const begin = text.data() + (text.starts_with('+') ? 1 : 0);
    const auto [stop, error] = std::from_chars(begin, end, number);
    const bool is_number = stop == end && !text.empty() && !std::isnan(number);
    const bool finite = error == std::errc::result_out_of_range || std::isfinite(number);
    reply.error(!is_number ? error_text::not_float : finite ? error_text::float_range : infinite);
    return std::nullopt;
}

Result<void> reply_decimal(RespWriter& reply, const Result<Bytes>& sum, BytesView not_a_number) {
    if (sum) {
        reply.bulk(*sum);
    } else if (sum.error().code == Code::invalid_argument) {
        reply.error(not_a_number);
    } else if (sum.error().code == Code::overflow) {
        reply.error(error_text::float_range);
    } else {
        return sum.error();
    }
    return {};
}

std::optional<std::size_t> pop_count(CommandContext& context) {
    if (context.count() < 3) return 1;
    const std::optional<std::int64_t> count = parse_integer(context.argument(2));
    if (count && *count >= 0) return static_cast<std::size_t>(*count);
    context.reply.error(error_text::not_positive);
    return std::nullopt;
}

std::optional<std::size_t> end_of_pop_keys(CommandContext& context, std::size_t number) {
    const std::optional<std::int64_t> keys = parse_integer(context.argument(number));
    if (!keys || *keys < 1) {
        context.reply.error("ERR numkeys should be greater than 0");
        return std::nullopt;
    }
    if (static_cast<std::uint64_t>(*keys) >= context.count() - number - 1) {
        context.reply.error(error_text::syntax);
        return std::nullopt;
    }
    return static_cast<std::size_t>(*keys) + number + 1;
}

std::optional<std::size_t> pop_count_option(CommandContext& context, std::size_t index) {
    std::optional<std::size_t> taken;
    for (; index < context.count(); index += 2) {
        const bool last = index + 1 == context.count();
        if (taken || last || !equal_nocase(context.argument(index), "count")) {
            context.reply.error(error_text::syntax);
            return std::nullopt;
        }
        const std::optional<std::int64_t> count = parse_integer(context.argument(index + 1));
        if (!count || *count < 1) {
            context.reply.error("ERR count should be greater than 0");
            return std::nullopt;
        }
        taken = static_cast<std::size_t>(*count);
    }
    return taken.value_or(1);
}

void reply_bulk_or_null(RespWriter& reply, const std::optional<Bytes>& value) {
    if (value) {
        reply.bulk(*value);
    } else {
        reply.null();
    }
}

void reply_help(RespWriter& reply, std::span<const BytesView> lines) {
    reply.array(lines.size());
    for (const BytesView line : lines) reply.simple(line);
}

void reply_wrong_arity(RespWriter& reply, BytesView full_name) {
    reply.error("ERR wrong number of arguments for '" + Bytes(full_name) + "' command");
}

bool is_client_name(BytesView name) {
    return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

Result<void> check_key_size(BytesView key_or_field) {
    if (key_or_field.size() <= limits::key_bytes_max) return {};
    return Error{Code::limit, "a key or field has more than " +
                                  std::to_string(limits::key_bytes_max) + " bytes"};
}

Result<void> check_value_size(BytesView value) {
    if (value.size() <= limits::value_bytes_max) return {};
    return Error{Code::limit,
                 "a value has more than " + std::to_string(limits::value_bytes_max) + " bytes"};
}

std::optional<std::vector<std::size_t>> key_indices(const Command& command,
                                                    std::span<const Bytes> arguments) {
    std::vector<std::size_t> indices;
    const KeyPositions& keys = command.keys;
    const auto count = std::ssize(arguments);
    const std::int64_t last = keys.last < 0 ? count + keys.last : keys.last;
    for (std::int64_t index = keys.first; keys.first > 0 && index <= last && index < count;
         index += keys.step) {
        indices.push_back(static_cast<std::size_t>(index));
    }
    if (keys.number == 0) return indices;
    const std::optional<std::int64_t> more =
        parse_integer(arguments[static_cast<std::size_t>(keys.number)]);
    if (!more || *more < 1 || *more >= count - keys.number) return std::nullopt;
    for (std::int64_t i = 1; i <= *more; ++i) {
        indices.push_back(static_cast<std::size_t>(keys.number + i));
    }
    return indices;
}

}  // namespace syncline
