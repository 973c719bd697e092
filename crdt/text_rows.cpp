#include "crdt/text_rows.hpp"

#include <algorithm>
#include <limits>

#include "crdt/text_utf8.hpp"

namespace syncline {

namespace {

/// Low three bits of a run's first byte: where its first element hangs.
enum ParentForm : std::uint8_t {
    cut = 0,  ///< right child of the element before it: the run goes on from the row before
    row_at_root = 1,
    own_left = 2,  ///< then how far back the parent is
    own_right = 3,
    other_left = 4,  ///< then the parent's actor and index
    other_right = 5,
};

/// The next two: how its counters go on.
enum StepForm : std::uint8_t {
    all_same = 0,    ///< one transaction
    all_by_one = 1,  ///< somebody typed
    steps_follow = 2,
};

constexpr unsigned step_form_shift = 3;
constexpr std::uint8_t parent_form_mask = 7;

Error corrupt(const TextRowName& name) {
    return Error{Code::corrupt, "text row " + to_string(name) + " is damaged"};
}

bool is_left(std::uint8_t form) {
    return form == own_left || form == other_left;
}

std::uint8_t parent_form(const TextRowName& name, const TextRunRow& row) {
    if (!row.parent) return row_at_root;
    const bool left = row.side == Side::left;
    if (row.parent->actor != name.actor) return left ? other_left : other_right;
    const bool cut_here = name.first % text_run_length_max == 0;
    if (!left && cut_here && row.parent->index + 1 == name.first) return cut;
    return left ? own_left : own_right;
}

std::uint8_t step_form(const TextRunRow& row) {
    if (row.steps.empty()) return all_same;
    if (row.steps.size() > 1 || row.steps.front().by > 1) return steps_follow;
    return row.steps.front().by == 0 ? all_same : all_by_one;
}

void read_parent(ByteReader& in, std::uint8_t form, const TextRowName& name, TextRunRow& row) {
    if (is_left(form)) row.side = Side::left;
    if (form == row_at_root) return;
    if (form > other_right) return in.fail();
    if (form == other_left || form == other_right) {
        const Actor actor = read_actor(in);
        row.parent = ElementId{actor, in.varint()};
        if (actor == name.actor) in.fail();
        return;
    }
    const std::uint64_t back = form == cut ? 1 : in.varint();
    if (back == 0 || back > name.first) return in.fail();
    row.parent = ElementId{name.actor, name.first - back};
    // It would be no new run.
    if (form == own_right && back == 1) in.fail();
}

/// Steps that cover the run, none like the one before it, and without an overflow.
void read_steps(ByteReader& in, std::uint8_t form, TextRunRow& row) {
    std::uint64_t left = row.length - 1;
    if (form != steps_follow && left > 0) row.steps.push_back({form, left});
    while (form == steps_follow && in.ok() && left > 0) {
        const TextCounters::Step step{in.varint(), in.varint()};
        const bool again = !row.steps.empty() && row.steps.back().by == step.by;
        if (step.repeat == 0 || step.repeat > left || again) return in.fail();
        left -= step.repeat;
        row.steps.push_back(step);
    }
    std::uint64_t counter = row.counter;
    for (const TextCounters::Step& step : row.steps) {
        const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - counter;
        if (step.by > room / step.repeat) return in.fail();
        counter += step.by * step.repeat;
    }
}

}  // namespace

std::string to_string(const TextRowName& name) {
    const bool run = name.kind == TextRowName::Kind::run;
    return (run ? "run " : "erased ") + to_string(ElementId{name.actor, name.first});
}

void write(ByteWriter& out, const TextRowName& name) {
    out.u8(static_cast<std::uint8_t>(name.kind));
    write(out, name.actor);
    out.varint(name.first);
}

Result<TextRowName> read_text_row_name(BytesView bytes) {
    ByteReader in(bytes);
    TextRowName name;
    const std::uint8_t kind = in.u8();
    name.kind = static_cast<TextRowName::Kind>(kind);
    name.actor = read_actor(in);
    name.first = in.varint();
    const bool run = name.kind == TextRowName::Kind::run;
    const bool erased = name.kind == TextRowName::Kind::erased;
    const bool cut_right = run || name.first % text_erased_row_indexes == 0;
    if (!in.done() || !(run || erased) || !cut_right) {
        return Error{Code::corrupt, "no name of a text row: " + to_hex(bytes)};
    }
    return name;
}

void write(ByteWriter& out, const TextRowName& name, const TextRunRow& row) {
    const std::uint8_t form = parent_form(name, row);
    const std::uint8_t steps = step_form(row);
    out.u8(static_cast<std::uint8_t>(form | (steps << step_form_shift)));
    out.varint(row.length);
    if (form == own_left || form == own_right) out.varint(name.first - row.parent->index);
    if (form == other_left || form == other_right) {
        write(out, row.parent->actor);
        out.varint(row.parent->index);
    }
    out.varint(row.counter);
    if (steps == steps_follow) {
        for (const TextCounters::Step& step : row.steps) {
            out.varint(step.by);
            out.varint(step.repeat);
        }
    }
    out.raw(row.live);
}

Result<TextRunRow> read_text_run_row(const TextRowName& name, BytesView bytes) {
    ByteReader in(bytes);
    TextRunRow row;
    const std::uint8_t coded = in.u8();
    const auto steps = static_cast<std::uint8_t>(coded >> step_form_shift);
    const std::uint8_t form = coded & parent_form_mask;
    row.length = in.varint();
    const std::uint64_t room = text_run_length_max - name.first % text_run_length_max;
    if (row.length == 0 || row.length > room || steps > steps_follow) in.fail();
    read_parent(in, form, name, row);
    row.counter = in.varint();
    if (row.counter == 0) in.fail();
    if (in.ok()) read_steps(in, steps, row);
    row.live = in.raw(in.left());
    // Two ways to write one run would give equal texts unequal bytes.
    const bool canonical = in.ok() && parent_form(name, row) == form && step_form(row) == steps;
    if (!canonical || !is_utf8(row.live) || count_points(row.live) > row.length) {
        return corrupt(name);
    }
    return row;
}

void write(ByteWriter& out, const TextRowName& name, const TextErasedRow& row) {
    std::uint64_t end = name.first;
    for (const auto& [first, count] : row) {
        out.varint(first - end);
        out.varint(count);
        end = first + count;
    }
}

Result<TextErasedRow> read_text_erased_row(const TextRowName& name, BytesView bytes) {
    ByteReader in(bytes);
    TextErasedRow row;
    std::uint64_t used = 0;  // of the indexes that the row has room for
    while (in.ok() && in.left() > 0) {
        const std::uint64_t gap = in.varint();
        const std::uint64_t count = in.varint();
        const std::uint64_t room = text_erased_row_indexes - used;
        const bool touches = !row.empty() && gap == 0;
        if (touches || gap > room || count == 0 || count > room - gap) in.fail();
        row.emplace_back(name.first + used + gap, count);
        used += gap + count;
    }
    const bool overflows = name.first > std::numeric_limits<std::uint64_t>::max() - used;
    if (!in.ok() || row.empty() || overflows) return corrupt(name);
    return row;
}

Bytes generation_field(const Dot& generation) {
    Bytes field;
    ByteWriter out(field);
    write(out, generation);
    return field;
}

std::optional<Dot> generation_from(BytesView field) {
    ByteReader in(field);
    const Dot generation = read_dot(in);
    if (!in.done() || generation.counter == 0) return std::nullopt;
    return generation;
}

Bytes text_row_field(const TextRowPlace& place) {
    Bytes field = generation_field(place.generation);
    ByteWriter out(field);
    write(out, place.name);
    return field;
}

Result<TextRowPlace> read_text_row_place(BytesView field) {
    ByteReader in(field);
    TextRowPlace place;
    place.generation = read_dot(in);
    if (!in.ok() || place.generation.counter == 0) {
        return Error{Code::corrupt, "row of a text without a generation"};
    }
    SYNCLINE_TRY(place.name, read_text_row_name(in.raw(in.left())));
    return place;
}

Result<void> check_text_row(const TextRowName& name, BytesView bytes) {
    if (name.kind == TextRowName::Kind::run) {
        SYNCLINE_CHECK(read_text_run_row(name, bytes));
    } else {
        SYNCLINE_CHECK(read_text_erased_row(name, bytes));
    }
    return {};
}

}  // namespace syncline
