#include "net/commands/bit_string.hpp"

#include <bit>

#include "core/base/assert.hpp"

namespace syncline {
namespace {

constexpr std::size_t word_bytes = sizeof(std::uint64_t);

std::uint64_t word_at(BytesView bytes, std::uint64_t byte) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + byte, word_bytes);
    return word;
}

unsigned char byte_at(BytesView bytes, std::uint64_t byte) {
    return static_cast<unsigned char>(bytes[byte]);
}

/// The bits of one byte from place `first` to `last`, the others 0.
unsigned masked(unsigned char byte, std::uint64_t first, std::uint64_t last) {
    return byte & (0xffU >> first) & (0xffU << (7 - last)) & 0xffU;
}

}  // namespace

bool bit_at(BytesView bytes, std::uint64_t index) {
    if (index / 8 >= bytes.size()) return false;
    return ((byte_at(bytes, index / 8) >> (7 - index % 8)) & 1U) != 0;
}

void put_bit(Bytes& bytes, std::uint64_t index, bool bit) {
    SYNCLINE_ASSERT(index / 8 < bytes.size());
    const unsigned mask = 0x80U >> (index % 8);
    const unsigned byte = byte_at(bytes, index / 8);
    bytes[index / 8] = static_cast<char>(bit ? byte | mask : byte & ~mask);
}

std::uint64_t count_bits(BytesView bytes, std::uint64_t first, std::uint64_t last) {
    SYNCLINE_ASSERT(first <= last && last / 8 < bytes.size());
    std::uint64_t byte = first / 8;
    const std::uint64_t end = last / 8;
    const auto of_byte = [&](std::uint64_t from, std::uint64_t to) {
        return static_cast<std::uint64_t>(std::popcount(masked(byte_at(bytes, byte), from, to)));
    };
    if (byte == end) return of_byte(first % 8, last % 8);
    std::uint64_t count = of_byte(first % 8, 7);
    for (++byte; byte + word_bytes <= end; byte += word_bytes) {
        count += static_cast<std::uint64_t>(std::popcount(word_at(bytes, byte)));
    }
    for (; byte < end; ++byte) count += of_byte(0, 7);
    return count + of_byte(0, last % 8);
}

std::optional<std::uint64_t> find_bit(BytesView bytes, bool bit, std::uint64_t first,
                                      std::uint64_t last) {
    SYNCLINE_ASSERT(first <= last && last / 8 < bytes.size());
    const std::uint64_t none = bit ? 0 : ~std::uint64_t{0};
    std::uint64_t index = first;
    while (index <= last) {
        const std::uint64_t byte = index / 8;
        if (index % 8 == 0 && byte + word_bytes <= last / 8 && word_at(bytes, byte) == none) {
            index += 8 * word_bytes;
        } else if (bit_at(bytes, index) == bit) {
            return index;
        } else {
            ++index;
        }
    }
    return std::nullopt;
}

std::uint64_t number_at(BytesView bytes, std::uint64_t index, unsigned width) {
    std::uint64_t number = 0;
    for (unsigned i = 0; i < width; ++i) {
        number = number << 1U | static_cast<std::uint64_t>(bit_at(bytes, index + i));
    }
    return number;
}

void put_number(Bytes& bytes, std::uint64_t index, unsigned width, std::uint64_t number) {
    for (unsigned i = 0; i < width; ++i) {
        put_bit(bytes, index + i, ((number >> (width - 1 - i)) & 1U) != 0);
    }
}

}  // namespace syncline
