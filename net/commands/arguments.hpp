#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/bytes.hpp"
#include "crdt/decimal.hpp"
#include "net/commands/command.hpp"

namespace syncline {

/// "2026-01-31T12:34:56.789Z".
std::string wall_time(std::uint64_t ms);
/// ASCII lower case.
Bytes lower(BytesView text);
/// True when the texts are equal but for the case of ASCII letters.
bool equal_nocase(BytesView a, BytesView b);
/// The words of a text that has one blank between each two.
std::vector<BytesView> split_words(BytesView text);

/// A signed 64-bit number in Redis's strict notation. Error invalid_argument otherwise, whose reply
/// is "value is not an integer or out of range".
Result<std::int64_t> integer_argument(BytesView text);

/// A number with decimals. Nothing, and the error is written: it is none, or is out of range;
/// `infinite` for an infinite one.
std::optional<Decimal> decimal_argument(RespWriter& reply, const Bytes& text, BytesView infinite);

/// The sum of an increment with decimals, or the error: `not_a_number` for a value that is none.
Result<void> reply_decimal(RespWriter& reply, const Result<Bytes>& sum, BytesView not_a_number);

/// How many elements a pop takes: one, or what its third argument says. Nothing, and the error is
/// written: that is no number, or below 0.
std::optional<std::size_t> pop_count(CommandContext& context);

/// The index behind the keys of a pop from the first of several, `numkeys key... end [COUNT n]`,
/// whose number of keys stands at `number`. Nothing, and the error is written: the number is none,
/// or no argument stands there.
std::optional<std::size_t> end_of_pop_keys(CommandContext& context, std::size_t number = 1);
/// The number behind its COUNT, which may stand at `index`. Nothing, and the error is written:
/// something else stands there.
std::optional<std::size_t> pop_count_option(CommandContext& context, std::size_t index);

/// Writes a value, or that there is none.
void reply_bulk_or_null(RespWriter& reply, const std::optional<Bytes>& value);

/// Writes the lines of a subcommand HELP.
void reply_help(RespWriter& reply, std::span<const BytesView> lines);

/// Writes "wrong number of arguments for 'x' command".
void reply_wrong_arity(RespWriter& reply, BytesView full_name);

/// What CLIENT SETNAME accepts: printable ASCII without blanks.
bool is_client_name(BytesView name);

/// The bounds of keys, fields and values, for commands that check all arguments before they stage
/// the first change. Error limit.
Result<void> check_key_size(BytesView key_or_field);
Result<void> check_value_size(BytesView value);

/// The keys of a request, as indices into its arguments; nothing if its number of keys is none or
/// too large. Precondition: the arity fits.
std::optional<std::vector<std::size_t>> key_indices(const Command& command,
                                                    std::span<const Bytes> arguments);

}  // namespace syncline
