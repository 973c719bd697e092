#include "core/merkle/difference.hpp"

#include <algorithm>
#include <set>

#include "crdt/text_rows.hpp"
#include "storage/tables.hpp"

namespace syncline {
namespace {

/// The transactions that a cell still names.
std::set<Dot> dots_of(const std::optional<Cell>& cell) {
    std::set<Dot> dots;
    if (!cell) return dots;
    for (const DotMap::Entry& entry : cell->dots.entries()) dots.insert(entry.dot);
    for (const auto& [actor, part] : cell->counter.entries()) {
        dots.insert(Dot{actor, part.last});
        if (part.reset_dot.counter > 0) dots.insert(part.reset_dot);
    }
    return dots;
}

/// Whether one side has seen something of a row that the other has not: it holds a dot which the
/// other has not seen, or has dropped one which the other still holds.
bool has_news(const std::set<Dot>& own, const VersionVector& own_vv, const std::set<Dot>& other,
              const VersionVector& other_vv) {
    const auto unseen = [&](const Dot& dot) {
        return other.count(dot) == 0 && !other_vv.covers(dot);
    };
    const auto dropped = [&](const Dot& dot) { return own.count(dot) == 0 && own_vv.covers(dot); };
    return std::any_of(own.begin(), own.end(), unseen) ||
           std::any_of(other.begin(), other.end(), dropped);
}

/// A row of a text as a cell, to be shown: its characters, and the transaction of the first one.
Result<Cell> cell_of_text_row(const TextRowName& name, BytesView bytes) {
    Cell cell;
    if (name.kind == TextRowName::Kind::run) {
        SYNCLINE_TRY(TextRunRow run, read_text_run_row(name, bytes));
        cell.dots.put(Dot{name.actor, run.counter}, DotValue{Hlc{}, std::move(run.live)});
    } else {
        SYNCLINE_CHECK(read_text_erased_row(name, bytes));
    }
    return cell;
}

/// Rows of texts do not name all transactions that made them: the vectors have to say it.
RowDifference::Newer newer_of(const VersionVector& here, const VersionVector& there) {
    const bool all_of_there = here.covers(there);
    const bool all_of_here = there.covers(here);
    if (all_of_there && all_of_here) return RowDifference::Newer::unexplained;
    return all_of_there  ? RowDifference::Newer::here
           : all_of_here ? RowDifference::Newer::there
                         : RowDifference::Newer::concurrent;
}

void count(const RowDifference& row, std::uint64_t bytes_here, std::uint64_t bytes_there,
           Difference::Counts& counts) {
    ++counts.rows;
    if (!row.there) ++counts.only_here;
    if (!row.here) ++counts.only_there;
    counts.bytes_here += bytes_here;
    counts.bytes_there += bytes_there;
    switch (row.newer) {
        case RowDifference::Newer::here:
            ++counts.newer_here;
            break;
        case RowDifference::Newer::there:
            ++counts.newer_there;
            break;
        case RowDifference::Newer::concurrent:
            ++counts.concurrent;
            break;
        case RowDifference::Newer::unexplained:
            ++counts.unexplained;
            break;
    }
}

}  // namespace

Result<RowDifference> compare_rows(BytesView row_key, std::optional<BytesView> here,
                                   const VersionVector& here_vv, std::optional<BytesView> there,
                                   const VersionVector& there_vv) {
    RowDifference row;
    bool is_text_row = false;
    const auto read = [&](BytesView value) -> Result<Cell> {
        SYNCLINE_TRY(Row decoded, decode_row(row_key, value));
        if (decoded.name.type == text_row_type) {
            SYNCLINE_TRY(const TextRowPlace place,
                         read_text_row_place(decoded.name.field.value_or(Bytes())));
            is_text_row = true;
            row.key = std::move(decoded.name.key);
            row.type = CellType::text;
            row.field = generation_field(place.generation);
            return cell_of_text_row(place.name, decoded.payload);
        }
        const std::optional<CellType> type = cell_type_from(decoded.name.type);
        if (!type) return Error{Code::corrupt, "a row of an unknown type"};
        row.key = std::move(decoded.name.key);
        row.type = *type;
        row.field = std::move(decoded.name.field);
        return read_cell(decoded.payload, *type);
    };
    if (here) {
        SYNCLINE_TRY(row.here, read(*here));
    }
    if (there) {
        SYNCLINE_TRY(row.there, read(*there));
    }
    if (is_text_row) {
        row.newer = newer_of(here_vv, there_vv);
        return row;
    }
    const std::set<Dot> own = dots_of(row.here);
    const std::set<Dot> other = dots_of(row.there);
    const bool news_here = has_news(own, here_vv, other, there_vv);
    const bool news_there = has_news(other, there_vv, own, here_vv);
    row.newer = news_here && news_there ? RowDifference::Newer::concurrent
                : news_here             ? RowDifference::Newer::here
                : news_there            ? RowDifference::Newer::there
                                        : RowDifference::Newer::unexplained;
    return row;
}

Result<Difference> difference_of(const SessionPuller& session, Store& store,
                                 const DifferenceQuestion& question) {
    Difference difference;
    difference.here = session.own().vv;
    difference.there = session.peer_vv();
    difference.here_root = session.own().sums.root();
    difference.there_root = session.peer_root();
    for (const auto& [row_key, staged] : session.staged()) {
        SYNCLINE_TRY(const std::optional<Bytes> own, store.get_base(Table::cells, row_key));
        SYNCLINE_TRY(
            RowDifference row,
            compare_rows(row_key, own ? std::optional<BytesView>(*own) : std::nullopt,
                         difference.here, staged ? std::optional<BytesView>(*staged) : std::nullopt,
                         difference.there));
        if (BytesView(row.key).substr(0, question.prefix.size()) != question.prefix) {
            ++difference.rows_elsewhere;
            continue;
        }
        count(row, own ? row_key.size() + own->size() : 0,
              staged ? row_key.size() + staged->size() : 0, difference.counts);
        if (difference.rows.size() < question.rows_max) difference.rows.push_back(std::move(row));
    }
    return difference;
}

}  // namespace syncline
