// What users can do to texts.
#include <algorithm>

#include "core/base/limits.hpp"
#include "core/engine/operations.hpp"

namespace syncline::operations {
namespace {

const Text no_text;

/// The text as it is seen, or an empty one, and which generation it is.
struct Seen {
    std::optional<Dot> generation;
    const Text* text = &no_text;
};

Result<Seen> seen(Transaction& txn, BytesView key) {
    SYNCLINE_CHECK(count(txn, key, CellType::text));  // for its type
    Seen result;
    SYNCLINE_TRY(result.generation, txn.text_generation(key));
    if (result.generation) {
        SYNCLINE_TRY(result.text, txn.text(key, *result.generation));
    }
    return result;
}

Result<std::uint64_t> insert(Transaction& txn, BytesView key, Seen seen, std::uint64_t position,
                             BytesView utf8) {
    if (utf8.size() > limits::text_insertion_bytes_max) {
        return Error{Code::limit, "an insertion has more than " +
                                      std::to_string(limits::text_insertion_bytes_max) + " bytes"};
    }
    SYNCLINE_TRY(TextInsertion insertion, seen.text->insertion(txn.dot().actor, position, utf8));
    if (!seen.generation) {
        seen.generation = txn.dot();
        const Bytes field = generation_field(txn.dot());
        SYNCLINE_CHECK(txn.put(key, CellType::text, BytesView(field), {}));
    }
    SYNCLINE_CHECK(txn.edit_text(key, *seen.generation, std::move(insertion)));
    SYNCLINE_TRY(const Text* const text, txn.text(key, *seen.generation));
    return text->size();
}

}  // namespace

Result<std::uint64_t> text_insert(Transaction& txn, BytesView key, std::uint64_t position,
                                  BytesView utf8) {
    SYNCLINE_TRY(const Seen here, seen(txn, key));
    return insert(txn, key, here, position, utf8);
}

Result<std::uint64_t> text_append(Transaction& txn, BytesView key, BytesView utf8) {
    SYNCLINE_TRY(const Seen here, seen(txn, key));
    return insert(txn, key, here, here.text->size(), utf8);
}

Result<std::uint64_t> text_erase(Transaction& txn, BytesView key, std::uint64_t position,
                                 std::uint64_t count) {
    SYNCLINE_TRY(const Seen here, seen(txn, key));
    const std::uint64_t size = here.text->size();
    if (position > size) {
        return Error{Code::invalid_argument, "the position is behind the end of the text"};
    }
    const std::uint64_t erased = std::min(count, size - position);
    if (erased == 0) return erased;
    SYNCLINE_TRY(TextErasure erasure, here.text->erasure(position, erased));
    SYNCLINE_CHECK(txn.edit_text(key, *here.generation, std::move(erasure)));
    return erased;
}

Result<const Text*> text_get(Transaction& txn, BytesView key) {
    SYNCLINE_TRY(const Seen here, seen(txn, key));
    return here.generation ? here.text : nullptr;
}

Result<std::vector<TextGeneration>> text_generations(Transaction& txn, BytesView key) {
    SYNCLINE_TRY(const Seen here, seen(txn, key));
    std::vector<TextGeneration> all;
    const auto visit = [&](BytesView, const Cell& cell) {
        const DotMap::Entry* const made = cell.dots.winner();
        all.push_back({made->dot, made->payload.hlc, 0, made->dot == here.generation});
        return true;
    };
    SYNCLINE_CHECK(txn.scan_cells(key, CellType::text, visit));
    std::sort(all.begin(), all.end(), [](const TextGeneration& a, const TextGeneration& b) {
        return std::tuple(a.seen, a.time, a.made.actor) > std::tuple(b.seen, b.time, b.made.actor);
    });
    for (TextGeneration& generation : all) {
        SYNCLINE_TRY(const Text* const text, txn.text(key, generation.made));
        generation.length = text->size();
    }
    return all;
}

}  // namespace syncline::operations
