// SORT: elements of a list, set or sorted set by their own values or by those of other keys.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "core/base/limits.hpp"
#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

/// Elements and values of other keys that one command may look at.
constexpr std::uint64_t looks_max = std::uint64_t{1024} * 1024;

struct SortOptions {
    std::optional<BytesView> by;
    std::vector<BytesView> get;
    std::optional<BytesView> store;
    std::int64_t offset = 0;
    std::int64_t count = -1;
    bool alpha = false;
    bool descending = false;

    /// The pattern of BY names no key, as "nosort".
    [[nodiscard]] bool unsorted() const { return by && by->find('*') == BytesView::npos; }
};

/// An element and what it is sorted by.
struct Sorted {
    Bytes element;
    double number = 0;
    std::optional<Bytes> text;  ///< nothing: the key of BY is not there, which comes first
};

// --- Arguments

/// Takes the option at `index` and moves behind it. False: it is none. Error invalid_argument: a
/// number is none.
Result<bool> take_option(const CommandContext& context, bool stores, SortOptions& options,
                         std::size_t& index) {
    const Bytes& name = context.argument(index);
    const std::size_t behind = context.count() - index - 1;
    const auto next = [&]() -> BytesView { return context.argument(++index); };
    if (equal_nocase(name, "asc")) {
        options.descending = false;
    } else if (equal_nocase(name, "desc")) {
        options.descending = true;
    } else if (equal_nocase(name, "alpha")) {
        options.alpha = true;
    } else if (equal_nocase(name, "limit") && behind >= 2) {
        SYNCLINE_TRY(options.offset, integer_argument(next()));
        SYNCLINE_TRY(options.count, integer_argument(next()));
    } else if (stores && equal_nocase(name, "store") && behind >= 1) {
        options.store = next();
    } else if (equal_nocase(name, "by") && behind >= 1) {
        options.by = next();
    } else if (equal_nocase(name, "get") && behind >= 1) {
        options.get.push_back(next());
    } else {
        return false;
    }
    ++index;
    return true;
}

/// An option that reads keys which the request does not name, and a user who may not read all.
BytesView denied_option(const CommandContext& context, const SortOptions& options) {
    const BytesView option = options.by && !options.unsorted() ? "BY"
                             : !options.get.empty()            ? "GET"
                                                               : "";
    if (option.empty() || !context.client.user) return {};
    const CommandName name{find_command(context.argument(0)), nullptr};
    const bool may = context.client.user->has_all_keys(key_access::read, name, context.arguments);
    return may ? BytesView() : option;
}

/// Nothing, and the error is written.
Result<std::optional<SortOptions>> parse_sort(CommandContext& context, bool stores) {
    SortOptions options;
    std::size_t index = 2;
    while (index < context.count()) {
        SYNCLINE_TRY(const bool taken, take_option(context, stores, options, index));
        if (taken) continue;
        context.reply.error(error_text::syntax);
        return std::optional<SortOptions>();
    }
    const BytesView denied = denied_option(context, options);
    if (!denied.empty()) {
        context.reply.error("ERR " + Bytes(denied) +
                            " option of SORT denied due to insufficient ACL permissions.");
        return std::optional<SortOptions>();
    }
    return std::optional(std::move(options));
}

// --- Elements

Error too_much() {
    return Error{Code::limit, "SORT looks at no more than " + std::to_string(looks_max) +
                                  " elements and values of other keys"};
}

Error too_long() {
    return Error{Code::limit, "the values have more than " +
                                  std::to_string(limits::client_output_bytes_max) + " bytes"};
}

/// In the order of the collection; of a sorted set descending if that is asked for. Error
/// wrong_type.
Result<std::vector<Bytes>> elements_of(Transaction& txn, BytesView key, bool descending) {
    std::vector<Bytes> elements;
    SYNCLINE_TRY(const std::optional<CellType> type, txn.visible_type(key));
    if (!type) return elements;
    const bool sortable =
        *type == CellType::list || *type == CellType::set || *type == CellType::sorted_set;
    if (!sortable) return Error{Code::wrong_type, "it has no elements to sort"};
    SYNCLINE_TRY(const std::uint64_t count, txn.count(key, *type));
    if (count > looks_max) return too_much();
    const auto take = [&](BytesView element) {
        elements.emplace_back(element);
        return true;
    };
    if (*type == CellType::list) {
        SYNCLINE_CHECK(operations::list_scan(txn, key, operations::ListEnd::front, take));
    } else if (*type == CellType::set) {
        SYNCLINE_TRY(elements, operations::set_members(txn, key));
    } else {
        SYNCLINE_CHECK(operations::sorted_scan(
            txn, key, {}, descending ? WalkOrder::descending : WalkOrder::ascending,
            [&](BytesView member, double) { return take(member); }));
    }
    return elements;
}

/// What a pattern names for an element: "#" itself, "a*b" the string under a key, "a*b->f" a field
/// of a hash. Nothing: it is not there, or of another type.
Result<std::optional<Bytes>> look_up(Transaction& txn, BytesView pattern, BytesView element) {
    if (pattern == "#") return std::optional(Bytes(element));
    const std::size_t star = pattern.find('*');
    if (star == BytesView::npos) return std::optional<Bytes>();
    std::size_t arrow = pattern.find("->", star + 1);
    if (arrow != BytesView::npos && arrow + 2 == pattern.size()) arrow = BytesView::npos;
    Bytes key(pattern.substr(0, star));
    key += element;
    key += pattern.substr(star + 1, arrow == BytesView::npos ? arrow : arrow - star - 1);
    if (key.size() > limits::key_bytes_max) return std::optional<Bytes>();
    Result<std::optional<Bytes>> value =
        arrow == BytesView::npos ? operations::string_get(txn, key)
                                 : operations::hash_get(txn, key, pattern.substr(arrow + 2));
    if (!value && value.error().code == Code::wrong_type) return std::optional<Bytes>();
    return value;
}

/// As strtod() reads it, the whole text.
std::optional<double> number_of(const Bytes& text) {
    char* end = nullptr;
    errno = 0;
    const double number = std::strtod(text.c_str(), &end);
    if (*end != '\0' || errno == ERANGE || std::isnan(number)) return std::nullopt;
    return number;
}

// --- Order

/// Nothing: what an element is sorted by is no number. Error limit: more bytes than a client may be
/// sent.
Result<std::optional<std::vector<Sorted>>> weigh(Transaction& txn, std::vector<Bytes> elements,
                                                 const SortOptions& options) {
    std::vector<Sorted> weighed;
    bool numbers = true;
    std::size_t bytes = 0;
    for (Bytes& element : elements) {
        std::optional<Bytes> weight = element;
        if (options.by) {
            SYNCLINE_TRY(weight, look_up(txn, *options.by, element));
            bytes += weight ? weight->size() : 0;
            if (bytes > limits::client_output_bytes_max) return too_long();
        }
        Sorted one;
        one.element = std::move(element);
        if (options.alpha) {
            one.text = std::move(weight);
        } else if (weight) {
            const std::optional<double> number = number_of(*weight);
            numbers = numbers && number;
            one.number = number.value_or(0);
        }
        weighed.push_back(std::move(one));
    }
    if (!numbers) return std::optional<std::vector<Sorted>>();
    return std::optional(std::move(weighed));
}

/// Of equal weight by the elements themselves, so that the order is the same everywhere.
bool comes_before(const Sorted& a, const Sorted& b) {
    if (a.number != b.number) return a.number < b.number;
    if (a.text != b.text) return a.text < b.text;
    return a.element < b.element;
}

/// The elements in order, as far as LIMIT wants them. Nothing: what they are sorted by is no
/// number.
Result<std::optional<std::vector<Bytes>>> sort(Transaction& txn, BytesView key,
                                               SortOptions& options) {
    SYNCLINE_TRY(const std::optional<CellType> type, txn.visible_type(key));
    bool unsorted = options.unsorted();
    if (unsorted && type == CellType::set && options.store) {
        // Members of sets have no order: what is stored gets one.
        unsorted = false;
        options.alpha = true;
        options.by.reset();
    }
    SYNCLINE_TRY(std::vector<Bytes> elements,
                 elements_of(txn, key, unsorted && options.descending));
    const auto size = std::ssize(elements);
    const std::int64_t first = std::clamp<std::int64_t>(options.offset, 0, size);
    const std::int64_t count =
        options.count < 0 ? size - first : std::min(options.count, size - first);
    const std::uint64_t looks = static_cast<std::uint64_t>(options.by && !unsorted ? size : 0) +
                                static_cast<std::uint64_t>(count) * options.get.size();
    if (looks > looks_max) return too_much();
    if (!unsorted) {
        SYNCLINE_TRY(std::optional<std::vector<Sorted>> weighed,
                     weigh(txn, std::move(elements), options));
        if (!weighed) return std::optional<std::vector<Bytes>>();
        std::sort(weighed->begin(), weighed->end(), [&](const Sorted& a, const Sorted& b) {
            return options.descending ? comes_before(b, a) : comes_before(a, b);
        });
        elements.clear();
        for (Sorted& one : *weighed) elements.push_back(std::move(one.element));
    }
    elements.erase(elements.begin() + first + count, elements.end());
    elements.erase(elements.begin(), elements.begin() + first);
    return std::optional(std::move(elements));
}

// --- Replies

/// What GET wants of each element, or the elements themselves. Error limit: more than a client may
/// be sent.
Result<std::vector<std::optional<Bytes>>> output_of(Transaction& txn, std::vector<Bytes> elements,
                                                    const SortOptions& options) {
    std::vector<std::optional<Bytes>> output;
    std::size_t bytes = 0;
    for (Bytes& element : elements) {
        if (options.get.empty()) output.emplace_back(std::move(element));
        for (const BytesView pattern : options.get) {
            SYNCLINE_TRY(std::optional<Bytes> value, look_up(txn, pattern, element));
            bytes += value ? value->size() : 0;
            output.push_back(std::move(value));
            if (bytes > limits::client_output_bytes_max) return too_long();
        }
    }
    return output;
}

Result<void> store(CommandContext& context, BytesView target,
                   std::vector<std::optional<Bytes>> output) {
    SYNCLINE_CHECK(check_key_size(target));
    SYNCLINE_CHECK(operations::key_delete(context.txn(), target));
    std::vector<Bytes> values;
    for (std::optional<Bytes>& value : output) {
        values.push_back(std::move(value).value_or(Bytes()));
    }
    const auto size = std::ssize(values);
    if (size > 0) {
        SYNCLINE_CHECK(operations::list_push(context.txn(), target, operations::ListEnd::back,
                                             std::move(values)));
    }
    context.reply.integer(size);
    return {};
}

template <bool stores>
Result<void> sort_command(CommandContext& context) {
    SYNCLINE_TRY(std::optional<SortOptions> options, parse_sort(context, stores));
    if (!options) return {};
    Transaction& txn = context.txn();
    SYNCLINE_TRY(std::optional<std::vector<Bytes>> sorted,
                 sort(txn, context.argument(1), *options));
    if (!sorted) {
        context.reply.error("ERR One or more scores can't be converted into double");
        return {};
    }
    SYNCLINE_TRY(std::vector<std::optional<Bytes>> output,
                 output_of(txn, std::move(*sorted), *options));
    if (options->store) return store(context, *options->store, std::move(output));
    context.reply.array(output.size());
    for (const std::optional<Bytes>& value : output) reply_bulk_or_null(context.reply, value);
    return {};
}

constexpr BytesView group = "generic";
constexpr KeyPositions one_key{1, 1, 1};
constexpr BytesView of_elements = "O(N log N + M) with N elements and M values of other keys";

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"sort", -2, flag::write | flag::denyoom, one_key, group, "1.0.0", of_elements,
     "Sorts the elements of a list, set or sorted set, and may store them",
     sort_command<true>, {}},
    {"sort_ro", -2, flag::readonly, one_key, group, "7.0.0", of_elements,
     "Sorts the elements of a list, set or sorted set", sort_command<false>, {}},
};
// clang-format on

}  // namespace

std::span<const Command> sort_commands() {
    return commands;
}

}  // namespace syncline
