#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "assert.hpp"

namespace syncline {

/// What kind of failure the world caused. Translated to RESP, C or Python only at the edges.
enum class Code : std::uint8_t {
    invalid_argument,  ///< the caller's value is out of its domain
    wrong_type,        ///< the key holds another data type
    overflow,          ///< a number would leave its range
    corrupt,           ///< bytes from the wire or the disk are not what they must be
    io,                ///< the operating system refused a read, write or sync
    no_space,          ///< disk, map or memory budget is used up
    limit,             ///< a limit of core/base/limits.hpp was reached
    version,           ///< a format or protocol version we do not speak
    unauthorized,      ///< a peer or client could not prove who it is
    unavailable,       ///< not now: not joined, busy, closed
    locked,            ///< another process holds the data directory
    causality,         ///< an event arrived before its causal past
    read_only,         ///< only the primary takes writes
    conflict,          ///< what the caller has seen is not what is there any more
    no_rights,         ///< this replica's rights to a bounded counter do not suffice
    permanent,         ///< a bounded counter would be removed, replaced or given an end
};

/// The name of a code, as it stands in logs.
std::string_view code_name(Code code);

/// A failure: a code and one sentence that holds the value that failed.
struct Error {
    Code code;
    std::string message;

    /// The same failure with the outer layer's words in front.
    [[nodiscard]] Error in(std::string_view context) const {
        return Error{code, std::string(context) + ": " + message};
    }
};

/// Value or Error, spelled like std::expected (which gcc 12 has only for C++23).
template <typename T>
class [[nodiscard]] Result {
public:
    using Value = T;

    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

    [[nodiscard]] bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    /// Precondition: has_value().
    T& value() & { return get(); }
    const T& value() const& { return const_cast<Result*>(this)->get(); }
    T&& value() && { return std::move(get()); }
    T& operator*() & { return get(); }
    const T& operator*() const& { return const_cast<Result*>(this)->get(); }
    T&& operator*() && { return std::move(get()); }
    T* operator->() { return &get(); }
    const T* operator->() const { return &const_cast<Result*>(this)->get(); }

    /// Precondition: !has_value().
    [[nodiscard]] const Error& error() const {
        SYNCLINE_ASSERT(state_.index() == 1);
        return *std::get_if<1>(&state_);
    }

private:
    T& get() {
        SYNCLINE_ASSERT(state_.index() == 0);
        return *std::get_if<0>(&state_);
    }

    std::variant<T, Error> state_;
};

/// Success or Error.
template <>
class [[nodiscard]] Result<void> {
public:
    using Value = void;

    Result() = default;
    Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

    [[nodiscard]] bool has_value() const { return !error_.has_value(); }
    explicit operator bool() const { return has_value(); }

    /// Precondition: !has_value().
    [[nodiscard]] const Error& error() const {
        SYNCLINE_ASSERT(error_.has_value());
        return *error_;
    }

private:
    std::optional<Error> error_;
};

}  // namespace syncline

#define SYNCLINE_CONCAT_INNER(a, b) a##b
#define SYNCLINE_CONCAT(a, b) SYNCLINE_CONCAT_INNER(a, b)

/// SYNCLINE_TRY(auto x, f()): declares x with the value of f(), or returns its error.
#define SYNCLINE_TRY(declaration, ...) \
    SYNCLINE_TRY_INNER(SYNCLINE_CONCAT(syncline_try_, __COUNTER__), declaration, __VA_ARGS__)
#define SYNCLINE_TRY_INNER(temporary, declaration, ...)   \
    auto temporary = (__VA_ARGS__);                       \
    if (!temporary.has_value()) return temporary.error(); \
    declaration = std::move(temporary).value()

/// SYNCLINE_CHECK(f()): returns the error of f(), if it has one.
#define SYNCLINE_CHECK(...)                                                     \
    do {                                                                        \
        if (auto syncline_check = (__VA_ARGS__); !syncline_check.has_value()) { \
            return syncline_check.error();                                      \
        }                                                                       \
    } while (false)
