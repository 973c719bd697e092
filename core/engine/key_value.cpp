// Bytes of a value: type (1 byte), number of elements (varint), of each name and value as far as
// the type has them (both with their length as a varint in front); then the version (1 byte) and
// XXH3-64 of all before it (8 bytes, big-endian).
#include "core/engine/key_value.hpp"

#include "core/base/hash.hpp"
#include "core/base/limits.hpp"
#include "crdt/score.hpp"

namespace syncline {
namespace {

constexpr std::uint8_t version = 1;
constexpr std::size_t footer_bytes = 9;
/// What an element takes in a transaction beside its name and value.
constexpr std::size_t element_bytes = 16;
/// A transaction is applied in one turn: some seconds for so many.
constexpr std::size_t elements_max = 1024 * std::size_t{1024};

/// What the elements of a type are made of.
struct Shape {
    CellType type;
    bool has_names;
    bool has_values;
    bool is_collection;  ///< one or more elements; else exactly one, if it has values
};
constexpr Shape shapes[] = {
    {CellType::string, false, true, false},      {CellType::hash, true, true, true},
    {CellType::set, true, false, true},          {CellType::sorted_set, true, true, true},
    {CellType::list, false, true, true},         {CellType::text, false, true, false},
    {CellType::multi_value, false, true, false}, {CellType::flag, false, false, false},
};

/// Null: keys of this type have no value that could be brought elsewhere.
const Shape* shape_of(std::uint64_t type) {
    for (const Shape& shape : shapes) {
        if (static_cast<std::uint64_t>(shape.type) == type) return &shape;
    }
    return nullptr;
}

bool is_value_of(CellType type, BytesView value) {
    if (type == CellType::sorted_set) return score_from_bytes(value).has_value();
    if (type == CellType::text) {
        return value.size() <= limits::text_insertion_bytes_max && is_utf8(value);
    }
    return value.size() <= limits::value_bytes_max;
}

/// Gathers elements while one transaction can write them.
class Gatherer {
public:
    explicit Gatherer(CellType type) { value_.type = type; }

    /// False: no more are wanted.
    bool add(BytesView name, Bytes value) {
        bytes_ += element_bytes + name.size() + value.size();
        too_much_ =
            bytes_ > limits::transaction_bytes_max || value_.elements.size() == elements_max;
        if (!too_much_) value_.elements.push_back({Bytes(name), std::move(value)});
        return !too_much_;
    }
    Result<std::optional<KeyValue>> finish() {
        if (!too_much_) return std::optional(std::move(value_));
        return Error{Code::limit, "more than " + std::to_string(limits::transaction_bytes_max) +
                                      " bytes or " + std::to_string(elements_max) +
                                      " elements cannot be written in one transaction"};
    }

private:
    KeyValue value_;
    std::size_t bytes_ = 0;
    bool too_much_ = false;
};

using operations::ListEnd;

Result<void> gather_text(Transaction& txn, BytesView key, Gatherer& gatherer) {
    SYNCLINE_TRY(const Text* const text, operations::text_get(txn, key));
    SYNCLINE_ASSERT(text != nullptr);  // it is the type that is seen
    const bool too_long = text->size() > limits::text_insertion_bytes_max;
    Bytes utf8 = too_long ? Bytes() : text->text();
    if (too_long || utf8.size() > limits::text_insertion_bytes_max) {
        return Error{Code::limit, "a text of more than " +
                                      std::to_string(limits::text_insertion_bytes_max) +
                                      " bytes cannot be written in one transaction"};
    }
    gatherer.add({}, std::move(utf8));
    return {};
}

Result<void> gather_multi_value(Transaction& txn, BytesView key, Gatherer& gatherer) {
    SYNCLINE_TRY(std::vector<DotMap::Entry> values, operations::multi_value_get(txn, key));
    if (values.size() > 1) {
        return Error{Code::limit, "the register holds " + std::to_string(values.size()) +
                                      " concurrent values: replace them by MV.SET first"};
    }
    gatherer.add({}, std::move(values.at(0).payload.value));
    return {};
}

Result<void> gather_fields(Transaction& txn, BytesView key, CellType type, Gatherer& gatherer) {
    return txn.scan_cells(key, type, [&](BytesView field, const Cell& cell) {
        if (type == CellType::set) return gatherer.add(field, {});
        if (type == CellType::hash) return gatherer.add(field, string_value(cell).value());
        return gatherer.add(field, score_bytes(score_value(cell).value()));
    });
}

Result<void> gather(Transaction& txn, BytesView key, CellType type, Gatherer& gatherer) {
    switch (type) {
        case CellType::string: {
            SYNCLINE_TRY(std::optional<Bytes> value, operations::string_get(txn, key));
            gatherer.add({}, std::move(value).value());
            return {};
        }
        case CellType::hash:
        case CellType::set:
        case CellType::sorted_set:
            return gather_fields(txn, key, type, gatherer);
        case CellType::list:
            return operations::list_scan(txn, key, ListEnd::front, [&](BytesView value) {
                return gatherer.add({}, Bytes(value));
            });
        case CellType::text:
            return gather_text(txn, key, gatherer);
        case CellType::multi_value:
            return gather_multi_value(txn, key, gatherer);
        case CellType::flag:
            return {};
        case CellType::bounded_counter:
        case CellType::expiry:
            break;
    }
    return Error{Code::permanent,
                 "a bounded counter cannot be copied: the rights of replicas are no value"};
}

/// A text that is empty comes into being by a character that goes again.
Result<void> write_text(Transaction& txn, BytesView key, BytesView utf8) {
    SYNCLINE_CHECK(operations::text_append(txn, key, utf8.empty() ? "-" : utf8));
    if (utf8.empty()) SYNCLINE_CHECK(operations::text_erase(txn, key, 0, 1));
    return {};
}

Result<void> write_list(Transaction& txn, BytesView key, KeyValue value) {
    std::vector<Bytes> values;
    for (KeyValue::Element& element : value.elements) values.push_back(std::move(element.value));
    SYNCLINE_CHECK(operations::list_push(txn, key, ListEnd::back, std::move(values)));
    return {};
}

Error no_value(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
}

Result<KeyValue::Element> read_element(ByteReader& in, const Shape& shape) {
    KeyValue::Element element;
    if (shape.has_names) element.name = in.sized();
    if (shape.has_values) element.value = in.sized();
    if (!in.ok()) return no_value("an element is cut off");
    if (element.name.size() > limits::key_bytes_max) return no_value("a field is too long");
    if (shape.has_values && !is_value_of(shape.type, element.value)) {
        return no_value("a value is none of its type");
    }
    return element;
}

}  // namespace

Bytes encode_key_value(const KeyValue& value) {
    const Shape* const shape = shape_of(static_cast<std::uint64_t>(value.type));
    SYNCLINE_ASSERT(shape != nullptr);
    Bytes bytes;
    ByteWriter out(bytes);
    out.u8(static_cast<std::uint8_t>(value.type));
    out.varint(value.elements.size());
    for (const KeyValue::Element& element : value.elements) {
        if (shape->has_names) out.sized(element.name);
        if (shape->has_values) out.sized(element.value);
    }
    out.u8(version);
    out.u64(hash64(bytes, key_value_checksum_seed));
    return bytes;
}

Result<KeyValue> decode_key_value(BytesView bytes) {
    if (bytes.size() < footer_bytes) return Error{Code::corrupt, "no checksum"};
    ByteReader footer(bytes.substr(bytes.size() - footer_bytes));
    const bool is_known = footer.u8() == version;
    const std::uint64_t checksum = footer.u64();
    if (!is_known ||
        checksum != hash64(bytes.substr(0, bytes.size() - 8), key_value_checksum_seed)) {
        return Error{Code::corrupt, "version or checksum are wrong"};
    }
    ByteReader in(bytes.substr(0, bytes.size() - footer_bytes));
    const Shape* const shape = shape_of(in.u8());
    if (shape == nullptr) return no_value("no such type");
    const std::uint64_t count = in.varint();
    const bool fits = shape->is_collection ? count >= 1 && count <= elements_max
                                           : count == (shape->has_values ? 1 : 0);
    if (!in.ok() || !fits) {
        return no_value("no such number of elements");
    }
    KeyValue value{shape->type, {}};
    for (std::uint64_t i = 0; i < count; ++i) {
        SYNCLINE_TRY(KeyValue::Element element, read_element(in, *shape));
        value.elements.push_back(std::move(element));
    }
    if (!in.done()) return no_value("more than its elements");
    return value;
}

namespace operations {

Result<std::optional<KeyValue>> key_read(Transaction& txn, BytesView key) {
    SYNCLINE_TRY(const std::optional<CellType> type, txn.visible_type(key));
    if (!type) return std::optional<KeyValue>();
    Gatherer gatherer(*type);
    SYNCLINE_CHECK(gather(txn, key, *type, gatherer));
    return gatherer.finish();
}

Result<void> key_write(Transaction& txn, BytesView key, KeyValue value) {
    if (key.size() > limits::key_bytes_max) {
        return Error{Code::limit, "a key or field has more than " +
                                      std::to_string(limits::key_bytes_max) + " bytes"};
    }
    SYNCLINE_CHECK(key_delete(txn, key));
    if (value.type == CellType::list) return write_list(txn, key, std::move(value));
    if (value.type == CellType::text) return write_text(txn, key, value.elements.at(0).value);
    if (value.type == CellType::flag) return txn.put(key, value.type, std::nullopt, Bytes());
    const bool has_fields = traits_of(value.type).has_fields;
    for (KeyValue::Element& element : value.elements) {
        // Nothing is left under the key: hash_set() and its kin would look for it each time.
        const auto field = has_fields ? std::optional<BytesView>(element.name) : std::nullopt;
        SYNCLINE_CHECK(txn.put(key, value.type, field, std::move(element.value)));
    }
    return {};
}

}  // namespace operations
}  // namespace syncline
