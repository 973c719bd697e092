#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/bytes.hpp"
#include "core/base/pack.hpp"

namespace syncline {

/// A number with 17 digits behind the point: what Redis prints of the sums of INCRBYFLOAT, but
/// exact. Sums are mod 2^128, so they can be taken apart again in any order; numbers from outside
/// are below 10^21. Binary floating point would not do for a counter: what a reset saw is taken
/// from a later sum, and of the difference of two large sums little would be left.
/// Thread-safety: a value.
class Decimal {
public:
    Decimal() = default;
    explicit Decimal(std::int64_t whole);

    /// A number as C writes them, with or without exponent; more digits behind the point are
    /// rounded to the nearest, halves away from 0. Nothing if it is none, not finite, or not in
    /// range.
    static std::optional<Decimal> parse(BytesView text);
    /// The shortest text that parse() reads as this number; no exponent.
    [[nodiscard]] std::string text() const;

    /// Below 10^21, as all numbers that users write and see.
    [[nodiscard]] bool in_range() const;
    [[nodiscard]] bool is_zero() const { return units_ == 0; }
    /// The nearest double.
    [[nodiscard]] double nearest() const;
    /// As an integer; nothing if it is none, or has more than 64 bits.
    [[nodiscard]] std::optional<std::int64_t> integer() const;

    friend Decimal operator+(Decimal a, Decimal b) { return Decimal(a.units_ + b.units_); }
    friend Decimal operator-(Decimal a, Decimal b) { return Decimal(a.units_ - b.units_); }
    bool operator==(const Decimal&) const = default;

private:
    __extension__ using Units = unsigned __int128;  // of 10^-17, in two's complement

    explicit Decimal(Units units) : units_(units) {}
    [[nodiscard]] bool negative() const { return units_ >> 127U != 0; }
    [[nodiscard]] Units magnitude() const { return negative() ? Units{0} - units_ : units_; }

    Units units_ = 0;

    friend void write(ByteWriter& out, Decimal decimal);
    friend Decimal read_decimal(ByteReader& in);
    friend void pack(Packer& out, Decimal decimal);
    friend Decimal unpack_decimal(Unpacker& in);
};

void write(ByteWriter& out, Decimal decimal);
Decimal read_decimal(ByteReader& in);
void pack(Packer& out, Decimal decimal);  ///< two numbers
Decimal unpack_decimal(Unpacker& in);

}  // namespace syncline
